"""What was never compressed is compressed as the others were; the crop is that of the whole picture to the bit."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.benchmark.pictures_alike import crops_alike, picture_of_frame, read_picture
from osbench.core.errors import DatasetError
from osbench.generation.pixels import Box, encode_full


def picture(size: tuple[int, int] = (90, 70), seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def cut(image: Image.Image, size: int) -> np.ndarray:
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return np.asarray(image.convert("RGB"))[top : top + size, left : left + size]


@pytest.mark.parametrize(("quality", "subsampling"), [(75, 2), (90, 0), (60, 1)])
def test_a_png_gets_the_tables_of_the_jpeg(tmp_path: Path, quality: int, subsampling: int) -> None:
    picture(seed=1).save(tmp_path / "a.jpg", quality=quality, subsampling=subsampling)
    picture(seed=2).save(tmp_path / "b.png")
    pictures = [read_picture(tmp_path / name, 32) for name in ("a.jpg", "b.png")]
    jpeg, compressed = crops_alike(pictures)
    np.testing.assert_array_equal(jpeg, pictures[0].pixels)
    whole = BytesIO()
    picture(seed=2).save(whole, "JPEG", quality=quality, subsampling=subsampling)
    np.testing.assert_array_equal(compressed, cut(Image.open(whole), 32))
    assert not np.array_equal(compressed, pictures[1].pixels)


def test_pictures_of_one_format_stay(tmp_path: Path) -> None:
    for i in range(3):
        picture(seed=i).save(tmp_path / f"{i}.png")
    found = [read_picture(tmp_path / f"{i}.png", 32) for i in range(3)]
    np.testing.assert_array_equal(crops_alike(found), [cut(picture(seed=i), 32) for i in range(3)])


def test_a_stored_frame_is_a_picture() -> None:
    crop = Box(20, 8, 32, 32)
    frame = encode_full(np.asarray(picture()), crop, 80)
    found = picture_of_frame(frame.bytes, crop)
    expected = np.asarray(Image.open(BytesIO(frame.bytes)))[8:40, 20:52]
    np.testing.assert_array_equal(found.pixels, expected)
    assert found.tables is not None
    assert found.size == (90, 70)


def test_grey_and_bad_files(tmp_path: Path) -> None:
    picture().convert("L").save(tmp_path / "grey.jpg")
    assert read_picture(tmp_path / "grey.jpg", 32).tables is None
    picture().save(tmp_path / "small.png")
    with pytest.raises(DatasetError, match="90x70 is smaller than the 80 px crop"):
        read_picture(tmp_path / "small.png", 80)
