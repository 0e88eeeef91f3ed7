from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from osbench.core import publish
from osbench.core.errors import DatasetError, GenerationError, OsbenchError, UsageError
from osbench.generation import shards
from osbench.generation.dataset import RECORD, Dataset
from osbench.generation.engines import local
from osbench.generation.generate import generate
from osbench.generation.ledger import LEDGER


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a dataset except the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def whole(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an uninterrupted run makes."""
    return content(generate(tiny_suite, tmp_path_factory.mktemp("whole") / "data").path)


def test_again_changes_nothing(tiny_suite: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "data"
    generate(tiny_suite, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    generate(tiny_suite, out)
    assert content(out) == whole
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}


def run_and_die_at(step: int, suite: Path, out: Path, options: dict) -> None:
    """Generate, but die by SIGKILL at the ``step``-th system call that touches the disk for good."""
    left = step

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args)

        return wrapper

    os.fsync = dying(os.fsync)  # type: ignore[assignment]
    os.replace = dying(os.replace)  # type: ignore[assignment]
    generate(suite, out, **options)


def kill_at(step: int, suite: Path, out: Path, **options: object) -> bool:
    """Whether the run died; False if it was done before that step."""
    process = multiprocessing.get_context("fork").Process(target=run_and_die_at, args=(step, suite, out, options))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_killed_at_every_step_and_resumed_is_byte_identical(tiny_suite: Path, tmp_path: Path) -> None:
    """SIGKILL before each fsync and each rename: nothing half written is published, and a resumed run ends equal."""
    options: dict[str, Any] = {"sources": ["alpha"], "count": 7}
    undisturbed = content(generate(tiny_suite, tmp_path / "whole", **options).path)
    step = 1
    while kill_at(step, tiny_suite, out := tmp_path / f"step{step}", **options):
        for name, data in content(out).items():
            if name.endswith(".parquet") or name == RECORD:
                assert data == undisturbed[name], name
        generate(tiny_suite, out, **options)
        assert content(out) == undisturbed, f"killed at step {step}"
        step += 1
    assert step > 3 * 2


def test_killed_again_and_again_at_arbitrary_moments(tiny_suite: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    for step in (2, 9, 5, 7):
        assert kill_at(step, tiny_suite, tmp_path / "data")
    generate(tiny_suite, tmp_path / "data")
    assert content(tmp_path / "data") == whole


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "empty"])
def test_wrong_shards_are_rebuilt(tiny_suite: Path, tmp_path: Path, whole: dict[str, bytes], damage: str) -> None:
    out = tmp_path / "data"
    shard = out / generate(tiny_suite, out).shards()[3].file
    data = shard.read_bytes()
    if damage == "truncate":
        shard.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        shard.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    elif damage == "empty":
        shard.write_bytes(b"")
    else:
        shard.unlink()
    assert len(Dataset.open(out).verify()) == 1
    generate(tiny_suite, out)
    assert content(out) == whole


def test_sources_can_be_added_later(tiny_suite: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "data"
    assert generate(tiny_suite, out, sources=["beta"]).sources() == ["beta/noise"]
    assert generate(tiny_suite, out, sources=["alpha/noise"]).sources() == ["alpha/noise", "beta/noise"]
    assert content(out) == whole


def test_another_recipe_needs_another_folder(tiny_suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    generate(tiny_suite, out, count=2)
    before = content(out)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"count": 1}, "holds 2 images of alpha/noise, more than the 1 asked for. Give --count 2 or more"),
        ({"count": 2, "order": "crop-then-compress"}, "another recipe .order"),
        ({"count": 2, "frame": "full"}, "another recipe .frame"),
    ]
    for options, reason in cases:
        with pytest.raises(DatasetError, match=reason):
            generate(tiny_suite, out, **options)
    assert content(out) == before


def test_a_dataset_that_grows_is_the_one_that_was_made_of_that_size(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 6 (a full and a short shard) to 10 to 14 images a source: only shards that were not full are made."""
    out, made = tmp_path / "data", []
    generate(tiny_suite, out, count=6)
    original = shards.write_shard
    monkeypatch.setattr(local, "write_shard", lambda unit, on: made.append(unit.file) or original(unit, on))
    counts: list[int] = []
    generate(tiny_suite, out, count=10, on_made=counts.append)
    assert content(out) == content(generate(tiny_suite, tmp_path / "ten", count=10).path)
    made.clear()
    dataset = generate(tiny_suite, out, count=14, on_made=counts.append)
    assert made == [f"shards/{name}/noise/shard-0000{k}-of-00004.parquet" for name in ("alpha", "beta") for k in (2, 3)]
    assert counts == [2 * 6, 2 * 6]
    assert content(out) == content(generate(tiny_suite, tmp_path / "fourteen", count=14).path)
    assert dataset.verify(pixels=True) == []
    generate(tiny_suite, out, count=14, on_made=counts.append)
    assert counts[2] == 0


def test_one_source_may_grow_alone(tiny_suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    generate(tiny_suite, out, count=6)
    dataset = generate(tiny_suite, out, count=9, sources=["beta"])
    assert {source["name"]: source["count"] for source in dataset.info["sources"]} == {
        "alpha/noise": 6,
        "beta/noise": 9,
    }
    assert dataset.verify(pixels=True) == []


def test_killed_while_it_grows_and_resumed_is_byte_identical(tiny_suite: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"sources": ["alpha"]}
    small = generate(tiny_suite, tmp_path / "small", count=6, **options).path
    undisturbed = content(generate(tiny_suite, tmp_path / "whole", count=11, **options).path)
    step = 1
    while True:
        out = tmp_path / f"step{step}"
        shutil.copytree(small, out)
        died = kill_at(step, tiny_suite, out, count=11, **options)
        generate(tiny_suite, out, count=11, **options)
        assert content(out) == undisturbed, f"killed at step {step}"
        if not died:
            break
        step += 1
    assert step > 8


def test_other_versions_do_not_mix(tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "data"
    generate(tiny_suite, out, count=2)
    from osbench.generation import record

    versions = {**record.library_versions(), "pillow": "0.1"}
    monkeypatch.setattr(record, "library_versions", lambda: versions)
    with pytest.raises(DatasetError, match=r"another versions \(pillow: .* is not 0\.1"):
        generate(tiny_suite, out, count=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": ["alhpa/noise"]}, "unknown source 'alhpa/noise'. Did you mean 'alpha/noise'"),
        ({"count": 0}, "--count must be at least 1"),
        ({"workers": 0}, "--workers must be at least 1"),
        ({"engine": "lokal"}, "unknown engine 'lokal'. Did you mean 'local'"),
        ({"order": "x"}, "unknown order 'x'"),
        ({"frame": "x"}, "unknown frame 'x'"),
        ({"device": "cuda:77"}, "device 'cuda:77' cannot be used"),
        ({"device": "toaster"}, "device 'toaster' cannot be used"),
    ],
    ids=str,
)
def test_bad_requests(tiny_suite: Path, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        generate(tiny_suite, tmp_path / "data", **options)
    assert message in str(caught.value)
    assert not (tmp_path / "data" / RECORD).exists()


def test_crop_larger_than_the_image(tiny_suite: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(tiny_suite.read_text())
    document["recipe"]["crop_size"] = 33
    path = tiny_suite.with_name("large-crop.yaml")
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match="a crop of 33 px does not fit 32 px images"):
        generate(path, tmp_path / "data")


def test_missing_weights(tiny_suite: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_suite.read_text())
    message = r"2 of 2 weight files are missing in .* \(alpha\.safetensors, beta\.safetensors\)"
    with pytest.raises(DatasetError, match=message):
        generate(path, tmp_path / "data")


def test_folders_that_cannot_be_used(tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="is a file"):
        generate(tiny_suite, tmp_path / "file")
    with pytest.raises(DatasetError, match="cannot be created"):
        generate(tiny_suite, tmp_path / "file" / "below")
    with pytest.raises(DatasetError, match="holds other files"):
        generate(tiny_suite, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
    monkeypatch.setattr(os, "access", lambda *_: False)  # a real read-only folder does not stop root
    with pytest.raises(DatasetError, match="not writable"):
        generate(tiny_suite, tmp_path / "new")


def test_two_at_a_time_are_refused(tiny_suite: Path, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "data"
    out.mkdir()
    with (out / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(DatasetError, match="another 'osbench generate'"):
            generate(tiny_suite, out)


def test_a_full_disk_is_seen_before_the_first_image(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(GenerationError, match="where 0 MB are free"):
        generate(tiny_suite, tmp_path / "data")
    assert not content(tmp_path / "data")


def test_a_disk_that_fills_up_loses_nothing(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes]
) -> None:
    out, calls, original = tmp_path / "data", 0, publish.publish

    def fill_up(partial: Path, final: Path) -> None:
        nonlocal calls
        calls += final.suffix == ".parquet"
        if calls == 3:
            raise OSError(28, "No space left on device", str(final))
        original(partial, final)

    with monkeypatch.context() as patch:
        patch.setattr(publish, "publish", fill_up)
        with pytest.raises(OsbenchError, match="No space left on device"):
            generate(tiny_suite, out)
    assert not list(out.rglob(".*partial*"))
    assert len((out / LEDGER).read_text().splitlines()) == 2
    generate(tiny_suite, out)
    assert content(out) == whole


def test_interrupted_by_hand(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes]
) -> None:
    out, original = tmp_path / "data", shards.sample_batch

    def interrupt(unit: shards.Unit, indices: range) -> list[shards.NativeImage]:
        if unit.shard == 2:
            raise KeyboardInterrupt
        return original(unit, indices)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "sample_batch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            generate(tiny_suite, out)
    assert not list(out.rglob(".*partial*"))
    generate(tiny_suite, out)
    assert content(out) == whole


@pytest.mark.parametrize(
    ("order", "frame"),
    [("compress-then-crop", "window"), ("compress-then-crop", "full"), ("crop-then-compress", "window")],
)
def test_every_recipe_makes_a_sound_dataset(tiny_suite: Path, tmp_path: Path, order: str, frame: str) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", order=order, frame=frame, count=6)
    assert dataset.verify(pixels=True) == []
    assert dataset.info["recipe"]["order"] == order
    index = dataset.index()
    if order == "crop-then-compress":
        assert not index[["crop_x", "crop_y"]].to_numpy().any()
    if frame == "full":
        assert not index[["frame_x", "frame_y"]].to_numpy().any()


def test_nothing_in_a_dataset_tells_where_it_was_made(whole: dict[str, bytes], tiny_suite: Path) -> None:
    for name, data in whole.items():
        assert str(tiny_suite.parent).encode() not in data, name
