"""Resyntheses that were made elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.baselines.resynthesis.folder import INDEX, Folder
from osbench.core.errors import DatasetError
from osbench.generation.pixels import pixel_sha256

from .tiny_suite import spectrum

SIZE = 32
IMAGES = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
NAMES = ("bing", "firefly")


def write_folder(folder: Path, *, draws: int = 1, side: int = 40) -> list[str]:
    """Resyntheses of every image by every source; returns the lines of the index."""
    rng, lines = np.random.default_rng(1), ["pixel_sha256,source,file"]
    for i, image in enumerate(IMAGES):
        for name in NAMES:
            for draw in range(draws):
                file = f"{name}-{i}-{draw}.png"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(folder / file)
                lines.append(f"{pixel_sha256(image)},{name},{file}")
    (folder / INDEX).write_text("\n".join(lines) + "\n")
    return lines


@pytest.mark.parametrize("draws", [1, 3])
def test_the_centre_of_each_file_is_taken(tmp_path: Path, draws: int) -> None:
    write_folder(tmp_path, draws=draws)
    way = Folder(tmp_path, NAMES, spectrum())
    assert way.draws == draws
    found = way.show(1, IMAGES[[2, 0]], ["", ""]).pictures
    assert found.shape == (2, draws, SIZE, SIZE, 3)
    whole = np.asarray(Image.open(tmp_path / f"firefly-2-{draws - 1}.png"))
    np.testing.assert_array_equal(found[0, draws - 1], whole[4:36, 4:36])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:1], "holds no resynthesis"),
        (lambda lines: ["file,source", *lines[1:]], "no column pixel_sha256; the first line must be"),
        (lambda lines: [*lines, ",,"], "line 8: an empty cell"),
        (lambda lines: [line for line in lines if "firefly" not in line], "has no resynthesis by firefly"),
        (lambda lines: [*lines, lines[-1]], "firefly made 2 resyntheses of image .*, but 1 of the first one"),
    ],
)
def test_an_index_that_is_no_good(tmp_path: Path, change, message: str) -> None:
    lines = write_folder(tmp_path)
    (tmp_path / INDEX).write_text("\n".join(change(lines)) + "\n")
    with pytest.raises(DatasetError, match=message):
        Folder(tmp_path, NAMES, spectrum())


def test_a_folder_without_an_index(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=INDEX):
        Folder(tmp_path, NAMES, spectrum())


def test_one_that_is_missing_or_too_small_or_elsewhere(tmp_path: Path) -> None:
    lines = write_folder(tmp_path / "a")
    (tmp_path / "a" / INDEX).write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(DatasetError, match="has no resynthesis by firefly of the image with pixel_sha256"):
        Folder(tmp_path / "a", NAMES, spectrum()).show(1, IMAGES, [""] * 3)
    write_folder(tmp_path / "b", side=31)
    with pytest.raises(DatasetError, match=r"bing-0-0[.]png: 31x31 is smaller than the 32 px crops of this run"):
        Folder(tmp_path / "b", NAMES, spectrum()).show(0, IMAGES, [""] * 3)
    lines[1] = lines[1].replace("bing-0-0.png", "../b/bing-0-0.png")
    (tmp_path / "a" / INDEX).write_text("\n".join(lines) + "\n")
    with pytest.raises(DatasetError, match="leads out of the folder"):
        Folder(tmp_path / "a", NAMES, spectrum()).show(0, IMAGES, [""] * 3)
