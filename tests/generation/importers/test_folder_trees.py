"""Trees of folders, read by ``imagefolder`` and ``genimage``: every byte kept, splits, resuming, what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from osbench.cli import main
from osbench.core.errors import DatasetError
from osbench.generation.dataset import Dataset
from osbench.generation.importing import import_dataset, list_pictures, survey
from osbench.generation.ledger import LEDGER

from ..published_tree import save


def image_folder(root: Path) -> Path:
    for number, name in enumerate(("midjourney/1.png", "midjourney/more/2.jpg", "flux/1.png", "flux/2.jpg")):
        save(root / name, number)
    return root


def image_folder_with_splits(root: Path) -> Path:
    for number, name in enumerate(("train/flux/1.png", "validation/flux/2.jpg", "test/bing/1.png")):
        save(root / name, number)
    return root


def genimage(root: Path) -> Path:
    number = 0
    for place in ("ADM", "Midjourney/imagenet_midjourney"):
        for split in ("train", "val"):
            for name in ("ai/1.png", "nature/1.JPEG"):
                number += 1
                save(root / place / split / name.replace("JPEG", "jpeg"), number)
    return root


TREES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "folders": ("imagefolder", image_folder),
    "splits": ("imagefolder", image_folder_with_splits),
    "genimage": ("genimage", genimage),
}


@pytest.mark.parametrize("tree", TREES)
def test_every_byte_is_kept_and_a_killed_import_ends_alike(tmp_path: Path, tree: str) -> None:
    reader, write = TREES[tree]
    root = write(tmp_path / "tree")
    data, faults = import_dataset(reader, root, tmp_path / "data", canonical=False)
    assert faults == []
    found: dict[str, bytes] = {}
    for shard, rows in data.index(None).groupby("shard"):
        images = data.read_images(str(shard), rows["row"].tolist())
        found |= dict(zip(rows["origin"], images, strict=True))
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert found == files
    ledger = (data.path / LEDGER).read_bytes()
    for entry in Dataset.open(data.path).shards()[:1]:  # as if killed before it was made
        (data.path / entry.file).unlink()
    (data.path / LEDGER).unlink()
    read: list[int] = []
    import_dataset(reader, root, tmp_path / "data", canonical=False, on_made=read.append)
    assert 0 < read[0] < len(files)
    assert (data.path / LEDGER).read_bytes() == ledger


def sources(reader: str, root: Path) -> dict[str, set[str | None]]:
    return {s.name: {one.split_hint for one in s.members} for s in list_pictures(reader, root).sources}


def test_sources_and_splits(tmp_path: Path) -> None:
    folders = sources("imagefolder", image_folder(tmp_path / "a"))
    assert folders == {"midjourney/undisclosed": {None}, "flux/undisclosed": {None}}
    splits = sources("imagefolder", image_folder_with_splits(tmp_path / "b"))
    assert splits == {"flux/undisclosed": {"train", "val"}, "bing/undisclosed": {"test"}}
    trees = sources("genimage", genimage(tmp_path / "c"))
    names = ("ADM", "Midjourney", "nature")
    assert trees == {f"{name}/undisclosed": {"train", "val"} for name in names}


def test_a_dry_run_says_sizes_and_formats(tmp_path: Path) -> None:
    rows, faults = survey(list_pictures("genimage", genimage(tmp_path / "tree")))
    found: dict[str, Any] = {row.source: (row.pictures, row.formats, row.sizes) for row in rows}
    assert found["nature/undisclosed"] == (4, {"JPEG": 4}, {"40x40": 4})
    assert found["ADM/undisclosed"] == (2, {"PNG": 2}, {"40x40": 2})
    assert faults == []


def test_what_does_not_belong_there_is_named(tmp_path: Path) -> None:
    root = genimage(tmp_path / "tree")
    (root / "ADM/train/ai/notes.txt").write_text("hello")
    (root / "README").write_text("hello")
    (root / "ADM/test").mkdir()
    os.symlink(root / "ADM/val/ai/1.png", root / "ADM/val/ai/2.png")
    reasons = {fault.member: fault.reason for fault in list_pictures("genimage", root).faults}
    assert reasons == {
        "README": "is a file where folders of generators are expected",
        "ADM/train/ai/notes.txt": "is not named like a picture",
        "ADM/test": "is neither train nor val",
        "ADM/val/ai/2.png": "is a link; only the data set's own files are read",
    }


def test_a_tree_with_two_meanings_or_one_name_twice_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "mixed/train/flux/1.png", 1)
    save(tmp_path / "mixed/bing/1.png", 2)
    with pytest.raises(DatasetError, match="train is a split and bing a generator"):
        list_pictures("imagefolder", tmp_path / "mixed")
    save(tmp_path / "twins/Flux/1.png", 1)
    save(tmp_path / "twins/flux/1.png", 2)
    save(tmp_path / "odd/a generator/1.png", 1)
    save(tmp_path / "named/nature/train/ai/1.png", 1)
    for reader, name in (("imagefolder", "twins"), ("imagefolder", "odd"), ("genimage", "named")):
        arguments = ["import", reader, str(tmp_path / name), "--out", str(tmp_path / "data"), "--quiet"]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code in (1, 2)
        assert result.stderr.count("\n") == 1, result.stderr
        assert not (tmp_path / "data").exists()
