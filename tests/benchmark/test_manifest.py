from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from osbench.benchmark.manifest import (
    Manifest,
    _csv,
    build_manifest,
    check_manifest,
    open_manifests,
    read_manifest,
    split_dataset,
    write_manifest,
)
from osbench.benchmark.manifest_columns import COLUMNS
from osbench.benchmark.protocols import Learned, Protocol, load_protocol
from osbench.core.errors import DatasetError, LeakError, UsageError
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from tests.benchmark.captioned import FIVE, captioned_index, without_pictures
from tests.benchmark.tiny_dataset import CROP, GENERATORS, write_sources

SCHEMA_TYPES = {name: pa.int64() if name in ("row", "class_index") else pa.string() for name in COLUMNS}
ARCHITECTURES = {"progan": "ProGAN", "stylegan": "StyleGAN", "taming": "Taming", "ldm": "Stable Diffusion"}


def fake_dataset(index: pd.DataFrame) -> Dataset:
    """A dataset that consists of its index only: for cases that real images cannot make."""
    names = sorted(set(index["generator"] + "/" + index["training_set"]))
    parts = [name.split("/") for name in names]
    records = [{"generator": g, "training_set": t, "architecture": ARCHITECTURES[g]} for g, t in parts]
    return cast(
        Dataset,
        SimpleNamespace(
            path=Path("fake"),
            index=lambda: index,
            info={"sources": records},
            sources=lambda: names,
            suite="fake",
            crop_size=32,
        ),
    )


def fake_index(sizes: dict[str, int]) -> pd.DataFrame:
    rows = [
        {
            "image_id": f"{name}{i:05}",
            "shard": f"shards/{name}.parquet",
            "row": i,
            "generator": name.split("/")[0],
            "training_set": name.split("/")[1],
            "pixel_sha256": f"p{name}{i}",
            "bytes_sha256": f"b{name}{i}",
        }
        for name, n in sizes.items()
        for i in range(n)
    ]
    return pd.DataFrame(rows)


def small_index() -> pd.DataFrame:
    return fake_index({f"{g}/x": 20 for g in ARCHITECTURES})


def test_the_papers_counts() -> None:
    sizes = {"progan/a": 10_000, "progan/b": 1000, "taming/a": 100, "stylegan/a": 10_000, "ldm/a": 10_000}
    manifest = build_manifest(fake_dataset(fake_index(sizes)), "fang2023")
    assert manifest.counts() == {
        "ldm/a": {"train": 0, "val": 0, "test": 1000},
        "progan/a": {"train": 8000, "val": 1000, "test": 1000},
        "progan/b": {"train": 800, "val": 100, "test": 100},
        "stylegan/a": {"train": 0, "val": 0, "test": 1000},
        "taming/a": {"train": 80, "val": 10, "test": 10},
    }


def test_real_dataset_splits_as_the_protocol_says(dataset: Dataset, manifest: Manifest) -> None:
    assert manifest.seen == ("progan", "stylegan2", "taming")
    assert manifest.unseen == ("latent_diffusion", "stylegan")
    assert (manifest.suite, manifest.crop_size) == ("tiny", 32)
    assert (manifest.protocol, manifest.fold) == ("fang2023", "fang2023")
    table = manifest.table
    assert list(table.columns) == [
        "image_id",
        "shard",
        "row",
        "generator",
        "training_set",
        "openness",
        "split",
        "class_index",
    ]
    assert table["image_id"].is_monotonic_increasing
    assert set(table["split"][table["openness"] == "unseen"]) == {"test"}
    assert set(table["class_index"][table["openness"] == "unseen"]) == {-1}
    assert [manifest.seen[k] for k in table["class_index"] if k >= 0] == [
        g for g in table["generator"] if g in manifest.seen
    ]
    # shard and row point at the image itself
    where = dataset.index().set_index("image_id")
    assert (where.loc[table["image_id"], "row"].to_numpy() == table["row"].to_numpy()).all()


def test_a_split_does_not_depend_on_row_order_or_on_other_sources() -> None:
    index = small_index()
    rng = np.random.default_rng(0)
    shuffled = index.iloc[rng.permutation(len(index))]
    plain = build_manifest(fake_dataset(index), "fang2023")
    assert build_manifest(fake_dataset(shuffled), "fang2023").manifest_id == plain.manifest_id
    more = pd.concat([index, fake_index({"progan/y": 30})])
    assigned = build_manifest(fake_dataset(more), "fang2023").table.set_index("image_id")["split"]
    before = plain.table.set_index("image_id")["split"]
    assert assigned.loc[before.index].tolist() == before.tolist()


def test_folds_share_the_split_of_every_image(dataset: Dataset) -> None:
    folds = [build_manifest(dataset, "rotate-one", g).table for g in ("progan", "taming")]
    joined = folds[0].merge(folds[1], on="image_id")
    assert joined["split_x"].tolist() == joined["split_y"].tolist()
    tests = [set(t["image_id"][t["split"] == "test"]) for t in folds]
    assert tests[0] == tests[1]


def test_written_and_read_back_it_is_the_same(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "m" / "fang2023.parquet"
    write_manifest(manifest, path)
    again = read_manifest(path)
    pd.testing.assert_frame_equal(again.table, manifest.table, check_dtype=False)
    assert dataclasses.replace(again, table=manifest.table) == manifest
    assert [p.name for p in path.parent.iterdir()] == ["fang2023.parquet"]


def test_who_changes_the_rows_of_a_split_changes_nobody_elses(manifest: Manifest) -> None:
    before = manifest.rows("test")
    mine = manifest.rows("test")
    mine["generator"] = "another"
    pd.testing.assert_frame_equal(manifest.rows("test"), before)
    pd.testing.assert_frame_equal(manifest.rows("train", "val", "test"), manifest.table.reset_index(drop=True))
    assert set(before["split"]) == {"test"}


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["a,b", 'a"b', "a\nb"]), min_size=1)
)
def test_rows_are_hashed_as_pandas_writes_them(names: list[str]) -> None:
    table = pd.DataFrame({"generator": names, "row": np.arange(len(names)), "split": "test"})
    assert _csv(table) == table.to_csv(index=False, header=False, lineterminator="\n").encode()


def test_split_dataset_writes_one_manifest_per_fold(own_dataset: Dataset) -> None:
    paths = split_dataset(own_dataset, "rotate-one")
    assert [p.name for p in paths] == [
        f"rotate-one-{g}.parquet" for g in ("latent_diffusion", "progan", "stylegan", "stylegan2", "taming")
    ]
    assert [read_manifest(p).unseen for p in paths][1] == ("progan",)
    first = paths[0].read_bytes()
    assert split_dataset(own_dataset, "rotate-one")[0].read_bytes() == first


def split_and_die_at(step: int, dataset: Dataset) -> None:
    left, originals = step, (os.fsync, os.replace)

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args)

        return wrapper

    os.fsync, os.replace = map(dying, originals)  # type: ignore[assignment]
    split_dataset(dataset, "rotate-one")


def test_killed_splits_leave_nothing_after_the_next_command(own_dataset: Dataset) -> None:
    folder, litter = own_dataset.path / "manifests", 0
    for step in (1, 2, 3, 7):
        process = multiprocessing.get_context("fork").Process(target=split_and_die_at, args=(step, own_dataset))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        litter += len(list(folder.glob(".*")))
    assert litter
    split_dataset(own_dataset, "fang2023")  # another protocol than the killed command's
    assert not list(folder.glob(".*"))
    whole = [path.read_bytes() for path in split_dataset(own_dataset, "rotate-one")]
    assert whole == [path.read_bytes() for path in split_dataset(own_dataset, "rotate-one", folder / "again")]


def test_a_full_disk_leaves_the_old_manifest_and_nothing_else(
    own_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = split_dataset(own_dataset, "fang2023")
    before = path.read_bytes()

    def fill_up(table: object, partial: Path, **_: object) -> None:
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fill_up)
    with pytest.raises(OSError, match="No space left"):
        split_dataset(own_dataset, "fang2023")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_open_manifests_writes_what_is_missing(own_dataset: Dataset) -> None:
    (manifest,) = open_manifests(own_dataset, "fang2023")
    written = own_dataset.path / "manifests" / "fang2023.parquet"
    assert read_manifest(written).manifest_id == manifest.manifest_id
    assert len(open_manifests(own_dataset, "rotate", "all")) == 10
    (one,) = open_manifests(own_dataset, "rotate", "progan+taming")
    assert one.unseen == ("progan", "taming")


def test_a_protocol_is_a_name_a_path_or_an_object(own_dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("unseen: {generators: [taming]}\n")
    protocol = Protocol.of_unseen(["taming"], name="mine")
    manifest = build_manifest(own_dataset, path)
    assert (manifest.protocol, manifest.fold, manifest.unseen) == ("mine", "mine", ("taming",))
    assert build_manifest(own_dataset, protocol).manifest_id == manifest.manifest_id
    assert not (own_dataset.path / "manifests").exists()
    with pytest.raises(UsageError, match="unknown protocol 'mine'"):
        open_manifests(own_dataset, "mine")
    for one in (protocol, path):
        (opened,) = open_manifests(own_dataset, one)
        assert opened.manifest_id == manifest.manifest_id
    path.unlink()
    assert sorted(p.name for p in (own_dataset.path / "manifests").iterdir()) == ["mine.parquet", "mine.yaml"]
    assert open_manifests(own_dataset, "mine")[0].manifest_id == manifest.manifest_id
    assert split_dataset(own_dataset, "mine") == [own_dataset.path / "manifests" / "mine.parquet"]
    assert own_dataset.verify() == []


def test_a_protocol_that_cannot_be_leaves_nothing(own_dataset: Dataset, tmp_path: Path) -> None:
    protocol = Protocol.of_unseen(["tamming"], name="mine")
    for use in (split_dataset, open_manifests):
        with pytest.raises(UsageError, match=r"'tamming'. Did you mean 'taming'\? Known: latent_diffusion, progan,"):
            use(own_dataset, protocol)
    few = dataclasses.replace(Protocol.of_unseen(["taming"]), ratios=(0.98, 0.01, 0.01))
    with pytest.raises(DatasetError, match="too few for train/val/test"):
        split_dataset(own_dataset, few)
    assert not (own_dataset.path / "manifests").exists()


def test_the_protocol_of_a_read_only_dataset_is_stored_with_its_manifests(
    own_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Protocol.of_unseen(["taming"], "theirs")
    split_dataset(own_dataset, theirs)
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert open_manifests(own_dataset, "theirs")[0].unseen == ("taming",)
    assert not (tmp_path / "cache").exists()
    (path,) = split_dataset(own_dataset, Protocol.of_unseen(["progan"], "mine"))
    assert sorted(p.name for p in path.parent.iterdir()) == ["mine.parquet", "mine.yaml"]
    assert tmp_path / "cache" in path.parents
    assert open_manifests(own_dataset, "mine")[0].unseen == ("progan",)
    open_manifests(own_dataset, Protocol.of_unseen(["progan"], "theirs"))
    assert open_manifests(own_dataset, "theirs")[0].unseen == ("progan",)
    assert [p.name for p in (own_dataset.path / "manifests").glob("*.yaml")] == ["theirs.yaml"]


def tampered(manifest: Manifest, **columns: Any) -> Manifest:
    return dataclasses.replace(manifest, table=manifest.table.assign(**columns))


def test_refuses_unseen_images_outside_test(manifest: Manifest, tmp_path: Path) -> None:
    split = manifest.table["split"].where(manifest.table["openness"] == "seen", "train")
    with pytest.raises(LeakError, match=r"images of unseen generators lie outside test, first [0-9a-f]+ of"):
        write_manifest(tampered(manifest, split=split), tmp_path / "m.parquet")
    assert not list(tmp_path.iterdir())


def test_refuses_a_generator_that_is_seen_and_unseen(manifest: Manifest) -> None:
    openness = manifest.table["openness"].where(manifest.table["generator"] != "stylegan", "seen")
    with pytest.raises(LeakError, match="both seen and unseen"):
        check_manifest(tampered(manifest, openness=openness))
    with pytest.raises(LeakError, match="class_index"):
        check_manifest(tampered(manifest, class_index=0))


def test_refuses_a_repeated_id(manifest: Manifest) -> None:
    ids = manifest.table["image_id"].to_list()
    ids[1] = ids[0]
    with pytest.raises(LeakError, match=f"image id {ids[0]} appears 2 times"):
        check_manifest(tampered(manifest, image_id=ids))
    index = small_index()
    index.loc[5, "image_id"] = str(index.loc[6, "image_id"])
    with pytest.raises(LeakError, match="appears 2 times"):
        build_manifest(fake_dataset(index), "fang2023")


@pytest.mark.parametrize("column", ["pixel_sha256", "bytes_sha256"])
def test_refuses_the_same_content_on_both_sides_of_a_border(column: str) -> None:
    index = small_index()
    table = build_manifest(fake_dataset(index), "fang2023").table

    def images(generator: str, split: str) -> list[str]:
        return table["image_id"][(table["generator"] == generator) & (table["split"] == split)].tolist()

    def with_twins(first: str, second: str) -> Dataset:
        twins = index["image_id"].isin([first, second])
        return fake_dataset(index.assign(**{column: index[column].where(~twins, "same")}))

    one, two, *_ = images("progan", "train")
    with pytest.raises(LeakError, match=rf"\(progan, (train|test)\).*same {column}"):
        build_manifest(with_twins(one, images("progan", "test")[0]), "fang2023")
    with pytest.raises(LeakError, match=r"\(progan, train\).*\(taming, train\)"):
        build_manifest(with_twins(one, images("taming", "train")[0]), "fang2023")
    # Two copies inside the training images of one generator cross no border.
    build_manifest(with_twins(one, two), "fang2023")


def test_one_picture_under_two_names_is_refused_with_both(tmp_path: Path) -> None:
    """The windows that are stored lie elsewhere in each copy, and one of them was saved again in another format."""
    generators = {name: GENERATORS[name] for name in ("progan", "stylegan", "taming", "latent_diffusion")}
    suite = write_sources(tmp_path / "sources", generators, 10, CROP + 40)
    copies = tmp_path / "copies"
    copies.mkdir()
    with Image.open(tmp_path / "sources" / "progan" / "004.png") as picture:
        picture.save(copies / "003.bmp")
    for i in (0, 1, 2, *range(4, 10)):
        pixels = np.random.default_rng(1000 + i).integers(0, 256, (CROP + 40, CROP + 40, 3), np.uint8)
        Image.fromarray(pixels).save(copies / f"{i:03}.png")
    dataset = generate(str(suite), tmp_path / "data", folders={"progan/more": copies})
    index = dataset.index()
    assert index["pixel_sha256"].is_unique
    assert index["bytes_sha256"].is_unique
    with pytest.raises(LeakError) as caught:
        build_manifest(dataset, "fang2023")
    message = "image 3 of source progan/more and image 4 of source progan/noise are the same picture"
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_copies_inside_one_source_may_not_straddle_splits(dataset: Dataset) -> None:
    index = dataset.index()
    table = build_manifest(dataset, "fang2023", index=index).table
    members = table[table["generator"] == "progan"]
    one, other = (members.loc[members["split"] == split, "image_id"].tolist()[0] for split in ("train", "test"))
    twins = index["image_id"].isin([one, other])
    same = index.assign(native_sha256=index["native_sha256"].where(~twins, "same"))
    with pytest.raises(LeakError, match="have the same native_sha256"):
        build_manifest(dataset, "fang2023", index=same)


def test_a_read_only_dataset_is_split_into_the_cache(
    own_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # a real read-only folder does not stop root
    (manifest,) = open_manifests(own_dataset, "fang2023")
    (path,) = (tmp_path / "cache").rglob("*.parquet")
    assert read_manifest(path).manifest_id == manifest.manifest_id
    assert f"{own_dataset.path} is read-only: manifests go to {path.parent}" in caplog.text
    assert not (own_dataset.path / "manifests").exists()
    assert split_dataset(own_dataset, "fang2023") == [path]
    time = path.stat().st_mtime_ns
    assert open_manifests(own_dataset, "fang2023")[0].manifest_id == manifest.manifest_id
    assert path.stat().st_mtime_ns == time


def test_a_read_only_dataset_that_was_split_is_used_as_it_is(
    own_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_dataset(own_dataset, "fang2023")
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert len(open_manifests(own_dataset, "fang2023")) == 1
    assert not (tmp_path / "cache").exists()


def test_manifests_that_others_made_are_read_within_a_budget(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    write_manifest(manifest, path)
    table = pq.read_table(path)
    many = pa.table({name: pa.array(np.zeros(2_000_000, int)).cast(kind) for name, kind in SCHEMA_TYPES.items()})
    long = table.set_column(0, "image_id", pa.array(["x" * 1000] * len(table)))
    deep = table.replace_schema_metadata({b"osbench": b"[" * 100_000})
    texts = table.replace_schema_metadata({b"osbench": b'"x"'})
    wrong = json.loads(table.schema.metadata[b"osbench"]) | {"seen": None}
    nobody = table.replace_schema_metadata({b"osbench": json.dumps(wrong).encode()})
    for bad, reason in (
        (many, "2,000,000 rows"),
        (long, "a text of more than 300"),
        (deep, "no readable header"),
        (texts, "no JSON object"),
        (nobody, "header: seen is"),
    ):
        pq.write_table(bad, path)
        with pytest.raises(DatasetError, match=reason) as caught:
            read_manifest(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="is a named pipe"):
        read_manifest(path)


def test_refuses_a_source_with_too_few_images() -> None:
    with pytest.raises(DatasetError, match=r"source taming/x has 3 images, too few for train/val/test at 0.8/0.1/0.1"):
        build_manifest(fake_dataset(fake_index({f"{g}/x": 20 for g in ARCHITECTURES} | {"taming/x": 3})), "fang2023")


def test_refuses_a_missing_class(manifest: Manifest) -> None:
    kept = manifest.table[(manifest.table["generator"] != "taming") | (manifest.table["split"] != "val")]
    with pytest.raises(DatasetError, match="generator taming has no val image"):
        check_manifest(dataclasses.replace(manifest, table=kept))


@pytest.mark.parametrize("damage", ["truncate", "edit", "version", "columns", "none", "missing"])
def test_a_damaged_manifest_is_a_one_line_error(manifest: Manifest, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "m.parquet"
    write_manifest(manifest, path)
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"osbench"])
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "edit":  # swap train and val of one class: no leak, but another split
        frame = manifest.table.assign(split=manifest.table["split"].replace({"train": "val", "val": "train"}))
        write_manifest(dataclasses.replace(manifest, table=frame), path)
    elif damage == "version":
        header["schema_version"] = 99
        pq.write_table(table.replace_schema_metadata({b"osbench": json.dumps(header).encode()}), path)
    elif damage == "columns":
        pq.write_table(table.drop_columns(["row"]), path)
    elif damage == "none":
        pq.write_table(table.replace_schema_metadata(None), path)
    else:
        path.unlink()
    with pytest.raises(DatasetError) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


GOLDEN = {
    ("fang2023", None): "5e7c1bee29bbffb38598b696f2ab82f13e0a285aec42437a8e0c3a4c42639ac2",
    ("rotate", "progan+taming"): "41a7f059526be3d9d205fa2eaae1d29f99206222fcd8d6bca0770e7031e34beb",
    ("rotate-one", "ldm"): "fae90d68cfecd465bdf10a471c30b46ef5f96d35c833ee3cbaa2419c117d65a2",
}


@pytest.mark.parametrize(("protocol", "fold"), GOLDEN)
def test_the_id_of_a_manifest_never_changes(protocol: str, fold: str | None) -> None:
    """Runs and submissions carry it: a change here orphans every published one."""
    manifest = build_manifest(fake_dataset(small_index()), protocol, fold)
    assert manifest.manifest_id == GOLDEN[protocol, fold]


def test_cross_content_of_a_real_dataset(two_contents: Dataset, tmp_path: Path) -> None:
    manifest = build_manifest(two_contents, "cross-content", "emoji")
    assert (manifest.fold, manifest.held_out) == ("cross-content/emoji", "emoji")
    counts = manifest.counts()
    for generator in manifest.seen:
        assert counts[f"{generator}/landscape"] == {"train": 16, "val": 2, "test": 0}
        assert counts[f"{generator}/emoji"] == {"train": 0, "val": 0, "test": 2}
    for generator in manifest.unseen:
        assert f"{generator}/landscape" not in counts
        assert counts[f"{generator}/emoji"] == {"train": 0, "val": 0, "test": 2}
    write_manifest(manifest, tmp_path / "m.parquet")
    again = read_manifest(tmp_path / "m.parquet")
    assert dataclasses.replace(again, table=manifest.table) == manifest
    other = dataclasses.replace(manifest, held_out="")
    write_manifest(other, tmp_path / "m.parquet")
    with pytest.raises(DatasetError, match="was edited"):
        read_manifest(tmp_path / "m.parquet")


def test_split_dataset_writes_a_manifest_per_held_out_training_set(two_contents: Dataset) -> None:
    paths = split_dataset(two_contents, "cross-content")
    assert [path.name for path in paths] == ["cross-content-emoji.parquet", "cross-content-landscape.parquet"]
    written = [read_manifest(path) for path in paths]
    opened = open_manifests(two_contents, "cross-content", "all")
    assert [m.manifest_id for m in opened] == [m.manifest_id for m in written]
    assert len({m.manifest_id for m in written}) == 2


CONTENTS = st.sets(st.sampled_from("abc"), min_size=1)


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(ARCHITECTURES, CONTENTS)))
def test_held_out_content_is_in_test_only_and_alone_there(contents: dict[str, set[str]]) -> None:
    dataset = fake_dataset(fake_index({f"{g}/{t}": 10 for g, sets in contents.items() for t in sets}))
    whole = build_manifest(dataset, "fang2023").table.set_index("image_id")
    try:
        folds = load_protocol("cross-content").folds(
            ARCHITECTURES, [Learned(g, t) for g, sets in contents.items() for t in sets]
        )
    except DatasetError:
        folds = []
    for fold in folds:
        table = build_manifest(dataset, "cross-content", fold).table
        held_out = table["training_set"] == fold.held_out
        test = table["split"] == "test"
        assert set(table["split"][held_out]) == {"test"}
        for generator, sets in contents.items():
            shown = set(table["training_set"][test & (table["generator"] == generator)])
            assert shown == ({fold.held_out} if fold.held_out in sets else sets)
        # Every image is where fang2023 puts it, or left out; all trained content is still there to learn from.
        assert (whole["split"].loc[table["image_id"]].to_numpy() == table["split"].to_numpy()).all()
        learnt = whole[(whole["split"] != "test") & (whole["training_set"] != fold.held_out)]
        assert set(table["image_id"][~test]) == set(learnt.index)


@pytest.mark.parametrize("split", ["train", "val"])
def test_refuses_held_out_content_outside_test(two_contents: Dataset, tmp_path: Path, split: str) -> None:
    manifest = build_manifest(two_contents, "cross-content", "emoji")
    moved = (manifest.table["generator"] == "progan") & (manifest.table["training_set"] == "emoji")
    one = moved & (moved.cumsum() == 1)
    with pytest.raises(LeakError, match=rf"1 images of the held-out training set emoji lie outside test.*in {split}"):
        write_manifest(tampered(manifest, split=manifest.table["split"].mask(one, split)), tmp_path / "m.parquet")
    assert not list(tmp_path.iterdir())


def test_refuses_trained_content_beside_held_out_content_in_test(two_contents: Dataset) -> None:
    manifest = build_manifest(two_contents, "cross-content", "emoji")
    trained = (manifest.table["generator"] == "progan") & (manifest.table["split"] == "train")
    one = trained & (trained.cumsum() == 1)
    with pytest.raises(DatasetError, match="progan is tested on the held-out training set emoji and on another one"):
        check_manifest(tampered(manifest, split=manifest.table["split"].mask(one, "test")))
    with pytest.raises(DatasetError, match="no seen generator has an image of the held-out training set birds"):
        check_manifest(dataclasses.replace(manifest, held_out="birds"))


def test_the_id_covers_rows_and_header(manifest: Manifest, dataset: Dataset) -> None:
    other = build_manifest(dataset, load_protocol("rotate"), "latent_diffusion+stylegan")
    pd.testing.assert_frame_equal(other.table, manifest.table)
    assert other.manifest_id != manifest.manifest_id
    assert len(manifest.manifest_id) == 64


def test_few_shots_of_every_generator_and_all_that_is_validated_and_tested(tmp_path: Path) -> None:
    dataset = without_pictures(captioned_index(), tmp_path)
    manifests = open_manifests(dataset, "fewshot", "all")
    assert len(manifests) == 20 * 5
    for manifest in manifests:
        assert manifest.fold == f"fewshot/shots={manifest.shots},repeat={manifest.repeat}"
        assert manifest.unseen == ()
        assert set(map(tuple, (c.values() for c in manifest.counts().values()))) == {(manifest.shots, 8, 8)}
    asked = {tuple(manifest.rows("val", "test")["image_id"]) for manifest in manifests}
    assert len(asked) == 1  # in every repeat: the split is the published one
    for fewer, more in zip(manifests[:-5], manifests[5:], strict=True):
        assert fewer.repeat == more.repeat
        assert set(fewer.rows("train")["image_id"]) < set(more.rows("train")["image_id"])


def test_few_shots_of_an_open_set() -> None:
    manifest = build_manifest(without_pictures(captioned_index()), "fewshot-open", "gan,shots=2,repeat=0")
    assert (manifest.seen, manifest.unseen) == (("flow", "pixel", "token", "unet"), ("gan",))
    assert manifest.counts()["gan/t"] == {"train": 0, "val": 0, "test": 8}
    assert manifest.counts()["flow/t"] == {"train": 2, "val": 8, "test": 8}


def test_generators_that_are_not_drawn_are_in_no_split(tmp_path: Path) -> None:
    dataset = without_pictures(captioned_index([f"g{i}" for i in range(7)]), tmp_path)
    manifest = build_manifest(dataset, "fewshot", "classes=5,shots=1,repeat=0")
    assert len(manifest.seen) == 5
    assert set(manifest.table["generator"]) == set(manifest.seen)
    folds = open_manifests(dataset, "fewshot", "all")
    assert sorted({len(one.seen) for one in folds}) == [5, 6, 7]


def test_a_generator_without_a_training_image_cannot_be_seen_and_few_images_give_few_folds(tmp_path: Path) -> None:
    index = captioned_index(characters=20, each=1)
    tested = set(build_manifest(without_pictures(index), "fewshot", "shots=1,repeat=0").rows("test")["group"])
    extra = captioned_index(("late",), 20, 1)
    rows = pd.concat([index, pd.DataFrame(extra[extra["prompt"].isin(tested)])], ignore_index=True)
    dataset = without_pictures(rows, tmp_path)
    manifests = open_manifests(dataset, "fewshot", "all")
    assert {one.seen for one in manifests} == {FIVE}
    assert max(one.shots for one in manifests) == 16
    with pytest.raises(DatasetError, match=r"fold fewshot/shots=17,repeat=0 needs 17 training images .* flow, gan"):
        build_manifest(dataset, "fewshot", "shots=17,repeat=0")
    few = Protocol("few", "none", shots=(17, 18), group="character")
    with pytest.raises(DatasetError, match="asks for 17 training images of every seen generator or more, and flow"):
        open_manifests(dataset, few, "all")


def test_resyntheses_are_in_no_split() -> None:
    index = captioned_index().assign(role="original")
    made = captioned_index(each=3).assign(role="resynthesis")
    made["image_id"] = "r" + made["image_id"]
    with_both = without_pictures(pd.concat([index, made], ignore_index=True))
    manifests = [build_manifest(data, "fewshot", "shots=4,repeat=2") for data in (with_both, without_pictures(index))]
    assert manifests[0].manifest_id == manifests[1].manifest_id


def test_the_id_of_a_few_shot_manifest_never_changes() -> None:
    manifest = build_manifest(without_pictures(captioned_index()), "fewshot", "shots=2,repeat=1")
    assert manifest.manifest_id == "5c815cc9cab40e8ed835e54b8ea9432f7458e5f9f1eae1eae12583a4e1b26398"


def weighted_index(weights: int = 3, scenes: int = 20) -> pd.DataFrame:
    """Four generators with several weights that show the same scenes, and the scenes themselves."""
    parts = [fake_index({f"{g}/x": scenes}).assign(weights=f"w{k}") for g in ARCHITECTURES for k in range(weights)]
    index = pd.concat([*parts, fake_index({"untouched/x": scenes})], ignore_index=True)
    names = index["generator"] + index["weights"].fillna("")
    unique = names + index["row"].astype(str)
    content = index["row"].map("scene {}".format)
    return index.assign(image_id=unique, pixel_sha256=unique, bytes_sha256=unique, content_id=content)


def weighted_dataset(index: pd.DataFrame) -> Dataset:
    found = index[["generator", "weights"]].drop_duplicates().itertuples(index=False)
    records = [
        {"generator": g, "training_set": "x", "architecture": ARCHITECTURES.get(g, "no network")}
        | ({"weights_id": w} if isinstance(w, str) else {"pictures": {"shows": "original"}})
        for g, w in found
    ]
    names = [f"{r['generator']}/x" + (f".{r['weights_id']}" if "weights_id" in r else "") for r in records]
    given = {"path": Path("fake"), "index": lambda: index, "info": {"sources": records}, "sources": lambda: names}
    return cast(Dataset, SimpleNamespace(**given, suite="fake", crop_size=32))


def test_cross_weights_trains_on_two_weights_and_tests_on_the_third(tmp_path: Path) -> None:
    manifest = build_manifest(weighted_dataset(weighted_index()), "cross-weights", "w1")
    assert (manifest.hold_out, manifest.held_out) == ("weights", "w1")
    counts = manifest.counts()
    for generator in ("progan", "taming"):
        assert counts[f"{generator}/x.w0"] == counts[f"{generator}/x.w2"] == {"train": 16, "val": 2, "test": 0}
        assert counts[f"{generator}/x.w1"] == {"train": 0, "val": 0, "test": 2}
    for generator in ("stylegan", "ldm"):
        assert f"{generator}/x.w0" not in counts
        assert counts[f"{generator}/x.w1"] == {"train": 0, "val": 0, "test": 2}
    assert counts["untouched/x"] == {"train": 16, "val": 2, "test": 2}
    write_manifest(manifest, tmp_path / "m.parquet")
    again = read_manifest(tmp_path / "m.parquet")
    assert dataclasses.replace(again, table=manifest.table) == manifest
    pd.testing.assert_frame_equal(again.table, manifest.table)


@pytest.mark.parametrize("protocol", ["fang2023", "cross-weights"])
def test_no_picture_is_in_two_splits(protocol: str) -> None:
    fold = "w0" if protocol == "cross-weights" else None
    table = build_manifest(weighted_dataset(weighted_index()), protocol, fold).table
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert set(table["group"]) == {f"scene {i}" for i in range(20)}


def test_refuses_a_group_in_two_splits(tmp_path: Path) -> None:
    manifest = build_manifest(weighted_dataset(weighted_index()), "fang2023")
    moved = (manifest.table["generator"] == "progan") & (manifest.table["split"] == "train")
    bad = tampered(manifest, split=manifest.table["split"].mask(moved & (moved.cumsum() == 1), "val"))
    with pytest.raises(LeakError, match=r"group scene [0-9]+ is torn"):
        write_manifest(bad, tmp_path / "m.parquet")
    assert not list(tmp_path.iterdir())


def test_refuses_held_out_weights_outside_test() -> None:
    manifest = build_manifest(weighted_dataset(weighted_index()), "cross-weights", "w1")
    moved = (manifest.table["weights"] == "w0") & (manifest.table["split"] == "train")
    bad = tampered(manifest, weights=manifest.table["weights"].mask(moved & (moved.cumsum() == 1), "w1"))
    with pytest.raises(LeakError, match="1 images of the held-out weights w1 lie outside test"):
        check_manifest(bad)


def test_two_weights_are_too_few_to_cross() -> None:
    with pytest.raises(DatasetError, match=r"progan has w0 w1, taming has w0 w1\): take the suite mini-matched"):
        build_manifest(weighted_dataset(weighted_index(weights=2)), "cross-weights", "w0")


def test_sources_that_show_other_pictures_are_refused() -> None:
    index = weighted_index()
    index = index[(index["generator"] != "taming") | (index["row"] > 0)]
    with pytest.raises(DatasetError, match=r"source taming/x.w0 lacks 1 of 20 pictures .* first scene 0"):
        build_manifest(weighted_dataset(index), "fang2023")
