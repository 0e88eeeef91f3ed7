"""Pictures made comparable in their file format: what was never compressed is compressed as the others were.

JPEG leaves more in a picture than most generators do. Of pictures that are grouped by their traces, some JPEG and some
PNG, the groups would be the two formats. So a picture without compression is compressed in memory, with the tables of
one of the JPEG pictures, before its crop is taken. Nothing is done where no picture is JPEG, or all are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, JpegImagePlugin

from ..generation.image_files import check_8_bit_colour, check_holds_crop, open_image, open_picture
from ..generation.pixels import Box, window_box


@dataclass(frozen=True)
class JpegTables:
    """How a JPEG file was compressed: its quantisation tables, and its chroma subsampling as Pillow numbers it."""

    quantisation: tuple[tuple[int, ...], ...]
    subsampling: int


@dataclass(frozen=True, eq=False)
class Picture:
    """The part of a picture that decides the pixels of its crop.

    Parameters
    ----------
    window : numpy.ndarray
        uint8 (H, W, 3), cut out on the grid of JPEG blocks.
    crop : Box
        In the window.
    size : tuple of int
        Width and height of the whole picture in pixels.
    tables : JpegTables, optional
        Of a JPEG file; None for every other format.
    """

    window: np.ndarray
    crop: Box
    size: tuple[int, int]
    tables: JpegTables | None

    @property
    def pixels(self) -> np.ndarray:
        """The crop, uint8 (S, S, 3), as it is."""
        return _cut(self.window, self.crop)


def read_picture(path: Path, size: int) -> Picture:
    """The picture of a file, with the crop of ``size`` px in its centre; DatasetError in one line if there is none."""
    with open_image(path) as picture:
        check_holds_crop(path, picture, size)
        check_8_bit_colour(path, picture)
        crop = Box((picture.width - size) // 2, (picture.height - size) // 2, size, size)
        return _picture(picture, crop)


def picture_of_frame(data: bytes, crop: Box) -> Picture:
    """The picture of a stored frame of a dataset."""
    with open_picture(BytesIO(data)) as picture:
        return _picture(picture, crop)


def crops_alike(pictures: Sequence[Picture]) -> np.ndarray:
    """The crops uint8 (N, S, S, 3); the tables for pictures without compression are drawn, the same every time."""
    known = [picture.tables for picture in pictures if picture.tables is not None]
    rng = np.random.default_rng(0)
    crops: list[np.ndarray] = []
    for picture in pictures:
        if picture.tables is not None or not known:
            crops.append(picture.pixels)
        else:
            crops.append(_cut(_compressed(picture.window, known[int(rng.integers(len(known)))]), picture.crop))
    return np.stack(crops)


def _picture(picture: Image.Image, crop: Box) -> Picture:
    tables = _tables(picture)
    part = window_box(picture.width, picture.height, crop)
    window = np.asarray(picture.crop((part.x, part.y, part.x + part.width, part.y + part.height)).convert("RGB"))
    return Picture(window, Box(crop.x - part.x, crop.y - part.y, crop.width, crop.height), picture.size, tables)


def _tables(picture: Image.Image) -> JpegTables | None:
    if not isinstance(picture, JpegImagePlugin.JpegImageFile) or picture.mode != "RGB":
        return None
    subsampling = JpegImagePlugin.get_sampling(picture)
    tables = picture.quantization
    if subsampling < 0:  # one that Pillow does not write
        return None
    return JpegTables(tuple(tuple(tables[key]) for key in sorted(tables)), subsampling)


def _compressed(window: np.ndarray, tables: JpegTables) -> np.ndarray:
    buffer = BytesIO()
    quantisation = {i: list(table) for i, table in enumerate(tables.quantisation)}
    Image.fromarray(window).save(buffer, "JPEG", qtables=quantisation, subsampling=tables.subsampling)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _cut(window: np.ndarray, crop: Box) -> np.ndarray:
    return window[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
