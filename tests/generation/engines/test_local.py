from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from osbench.core.errors import GenerationError, UsageError
from osbench.generation.engines import engine_names, get_engine, local
from osbench.generation.generate import generate
from osbench.generation.ledger import LEDGER, LedgerEntry
from osbench.generation.record import source_sha256
from osbench.generation.request import make_request, units

RUN = """
import sys
from osbench.generation.generate import generate
if __name__ == "__main__":
    generate(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), count=int(sys.argv[4]))
"""


def start(suite: Path, out: Path, workers: int, count: int, tmp_path: Path) -> subprocess.Popen[bytes]:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    command = [sys.executable, str(script), str(suite), str(out), str(workers), str(count)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)


def shards(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("shard-*.parquet"))}


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_shards(out: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while len(shards(out)) < number and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def test_engines_are_named() -> None:
    assert engine_names() == ["local"]
    assert get_engine("local") is local.run_local
    with pytest.raises(UsageError, match="Known: local"):
        get_engine("cloud")


def test_threads_are_given_back(tiny_suite: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        generate(tiny_suite, tmp_path / "data", count=2, sources=["alpha"])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_any_number_of_workers_makes_the_same_bytes(tiny_suite: Path, tmp_path: Path) -> None:
    one = generate(tiny_suite, tmp_path / "one", workers=1).path
    two = generate(tiny_suite, tmp_path / "two", workers=2).path
    assert shards(one) == shards(two)
    assert (one / LEDGER).read_bytes() == (two / LEDGER).read_bytes()


@pytest.mark.slow
def test_an_error_in_a_worker_arrives_as_itself(tiny_suite: Path, tmp_path: Path) -> None:
    suite = tmp_path / "tiny.yaml"
    suite.write_text(tiny_suite.read_text().replace("defaults:\n", "defaults:\n  sampling: {top_k: 5}\n"))
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.safetensors").write_bytes((tiny_suite.parent / f"{name}.safetensors").read_bytes())
    with pytest.raises(UsageError, match="unknown key of source alpha/noise: sampling 'top_k'"):
        generate(suite, tmp_path / "data", workers=2)


@pytest.mark.slow
def test_a_killed_worker_is_one_line(tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pool(ProcessPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):  # type: ignore[override]
            return super().submit(os._exit, 9)

    monkeypatch.setattr(local, "ProcessPoolExecutor", Pool)
    with pytest.raises(GenerationError, match="a worker process was killed"):
        generate(tiny_suite, tmp_path / "data", workers=2)


@pytest.mark.slow
def test_a_pool_killed_three_times_ends_with_the_same_ledger(tiny_suite: Path, tmp_path: Path) -> None:
    count = 160
    whole = generate(tiny_suite, tmp_path / "whole", count=count).path
    out = tmp_path / "data"
    for published in (1, 20, 45):
        process = start(tiny_suite, out, 2, count, tmp_path)
        wait_for_shards(out, published, process)
        process.kill()  # the parent alone: its workers must notice and leave
        process.wait()
        assert process.returncode == -signal.SIGKILL
    time.sleep(3)
    before = shards(out)
    time.sleep(1)
    assert shards(out) == before, "an orphaned worker still publishes"
    generate(tiny_suite, out, count=count)
    assert (out / LEDGER).read_bytes() == (whole / LEDGER).read_bytes()
    assert shards(out) == shards(whole)


@pytest.mark.slow
def test_ctrl_c_ends_a_pool_at_once_and_cleanly(tiny_suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    process = start(tiny_suite, out, 2, 4000, tmp_path)
    wait_for_shards(out, 3, process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) in (130, 1, -signal.SIGINT)
    end = time.monotonic() + 10
    while group_is_alive(process.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not group_is_alive(process.pid)
    assert 3 <= len(shards(out)) < 2000


def test_overlapped_encoding_makes_the_same_bytes(tiny_suite: Path, tmp_path: Path) -> None:
    """The way of accelerators, on the CPU: network here, encoding and writing in two other processes."""
    plain = generate(tiny_suite, tmp_path / "plain")
    request = make_request(tiny_suite)
    sha256 = {source.name: source_sha256(source) for source in request.sources}
    (tmp_path / "overlapped").mkdir()
    made: list[int] = []
    entries = list(local.run_overlapped(units(request, tmp_path / "overlapped", sha256, "cpu"), 2, made.append))
    assert sorted(entries) == sorted(plain.shards())
    assert shards(tmp_path / "overlapped") == shards(plain.path)
    assert sum(made) == 20


def test_an_accelerator_is_not_shared_by_workers(tiny_suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = make_request(tiny_suite)
    wanted = units(request, Path(), {source.name: "" for source in request.sources}, "cuda")
    calls: list[int] = []

    def run_overlapped(units: object, encoders: int, on_images: object) -> Iterator[LedgerEntry]:
        calls.append(encoders)
        return iter(())

    monkeypatch.setattr(local, "run_overlapped", run_overlapped)
    assert list(local.run_local(wanted, 8, lambda n: None)) == []
    assert calls == [7]


def test_a_network_that_fails_ends_the_overlapped_run(tiny_suite: Path, tmp_path: Path) -> None:
    request = make_request(tiny_suite)
    sha256 = {source.name: source_sha256(source) for source in request.sources}
    broken = [
        replace(unit, source=replace(unit.source, sampling={"top_k": 1})) if unit.shard == 1 else unit
        for unit in units(request, tmp_path, sha256, "cpu")
    ]
    with pytest.raises(UsageError, match="unknown key of source alpha/noise: sampling 'top_k'"):
        list(local.run_overlapped(broken, 1, lambda n: None))
    assert not list(tmp_path.rglob("*partial*"))
