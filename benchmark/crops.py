"""Many crops of one picture: where they lie, and how they are read from any file within a budget of memory.

Crops do not overlap and are spread evenly; nothing is resampled. What a method was not fitted on is converted and said
in a note: CMYK, 16 bits, grey, transparency. A large PNG is read in strips; any other large file is decoded whole, one
at a time.
"""

from __future__ import annotations

import io
import math
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..core.errors import DatasetError
from ..core.text import printable
from ..generation.image_files import check_holds_crop, open_image
from ..generation.png_strips import can_be_read_in_strips, png_strips

MOST_CROPS = 16
"""So many crops of a picture are asked about unless another number is given."""

PREVIEW_SIDE = 640
"""Longest side in pixels of the picture that a report shows."""

_LARGE_PIXELS = 16_000_000
_one_large_picture = threading.Lock()
_PLAIN = {"RGB": "", "RGBA": "its transparency is ignored", "L": "grey", "LA": "grey, its transparency is ignored"}
_CONVERTED = {
    "P": "its palette was replaced by RGB",
    "PA": "its palette was replaced by RGB",
    "1": "black and white",
    "CMYK": "converted from CMYK to RGB without a colour profile",
    "YCbCr": "converted from YCbCr to RGB",
    "I;16": "grey of 16 bits, of which the upper 8 are used",
    "I;16B": "grey of 16 bits, of which the upper 8 are used",
    "I;16L": "grey of 16 bits, of which the upper 8 are used",
}


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of one picture.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 (T, S, S, 3).
    corners : tuple of tuple of int
        Left and top of each, in pixels of the picture as it is stored.
    width, height : int
        Of the whole picture, in pixels.
    format : str
        As Pillow names it: ``JPEG``.
    notes : tuple of str
        What was converted or left out.
    preview : bytes
        A small JPEG of the whole picture; empty if none was asked for.
    """

    pixels: np.ndarray
    corners: tuple[tuple[int, int], ...]
    width: int
    height: int
    format: str
    notes: tuple[str, ...]
    preview: bytes


def crop_corners(width: int, height: int, size: int, most: int) -> tuple[tuple[int, int], ...]:
    """Left and top corners of at most ``most`` crops that do not overlap, each in the middle of its part.

    Parameters
    ----------
    width, height : int
        Of the picture; neither is smaller than ``size``.
    size : int
        Side of a crop.
    most : int
        At least 1; one crop lies in the centre.

    Examples
    --------
    >>> crop_corners(200, 100, 64, 1)
    ((68, 18),)
    >>> crop_corners(200, 100, 64, 16)
    ((1, 18), (68, 18), (134, 18))
    """
    across, down = width // size, height // size
    if across * down > most:
        # As square as the picture is: columns and rows in the proportion of its sides.
        columns = min(across, max(1, round(math.sqrt(most * width / height))))
        rows = min(down, max(1, most // columns))
        columns = min(across, max(1, most // rows))
    else:
        columns, rows = across, down
    lefts = [(2 * i + 1) * width // (2 * columns) - size // 2 for i in range(columns)]
    tops = [(2 * i + 1) * height // (2 * rows) - size // 2 for i in range(rows)]
    if columns == 1:
        lefts = [(width - size) // 2]
    if rows == 1:
        tops = [(height - size) // 2]
    return tuple((min(max(x, 0), width - size), min(max(y, 0), height - size)) for y in tops for x in lefts)


def read_crops(path: Path, size: int, most: int = MOST_CROPS, *, preview: bool = False) -> Crops:
    """The crops of a file.

    Parameters
    ----------
    path : Path
        PNG, JPEG, WebP, TIFF, BMP or GIF.
    size : int
        Side of a crop in pixels.
    most : int
        How many at most; see :func:`crop_corners`.
    preview : bool
        Whether a small picture of the whole is made as well.

    Raises
    ------
    DatasetError
        In one line, for anything that is no picture, smaller than a crop, or of colours that cannot be converted.
    """
    with open_image(path) as picture:
        width, height, kind = picture.width, picture.height, picture.format or ""
        check_holds_crop(path, picture, size)
        notes = _notes(path, picture)
        corners = crop_corners(width, height, size, most)
        large = width * height > _LARGE_PIXELS
        with _turn(large):
            if large and kind == "PNG" and can_be_read_in_strips(path):
                pixels, shown = _in_strips(path, width, height, size, corners, preview)
            else:
                boxes = [(x, y, x + size, y + size) for x, y in corners]
                pixels = np.stack([_as_rgb(picture.crop(box)) for box in boxes])
                shown = _preview(picture) if preview else b""
    return Crops(pixels, corners, width, height, kind, notes, shown)


def _turn(large: bool) -> AbstractContextManager[object]:
    """Large pictures take turns: of several threads only one holds one."""
    return _one_large_picture if large else nullcontext()


def _notes(path: Path, picture: Image.Image) -> tuple[str, ...]:
    """What has to be said about a picture's colours and frames; DatasetError for colours that cannot be converted."""
    words = {**_PLAIN, **_CONVERTED}.get(picture.mode)
    if words is None:
        raise DatasetError(f"{printable(path, 1000)}: colour mode {picture.mode} cannot be converted to 8-bit RGB.")
    notes = [words] if words else []
    tiles = getattr(picture, "tile", [])
    if picture.mode in ("RGB", "RGBA") and tiles and ";16" in str(tiles[0][3]):
        notes.append("16 bits per colour, of which the upper 8 are used")
    if getattr(picture, "n_frames", 1) > 1:
        notes.append("the first of several pictures in the file")
    return tuple(notes)


def _as_rgb(part: Image.Image) -> np.ndarray:
    if part.mode.startswith("I;16"):
        values = np.asarray(part).astype(np.uint16) >> 8
        return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(part if part.mode == "RGB" else part.convert("RGB"))


def _in_strips(
    path: Path, width: int, height: int, size: int, corners: tuple[tuple[int, int], ...], preview: bool
) -> tuple[np.ndarray, bytes]:
    pixels = np.zeros((len(corners), size, size, 3), np.uint8)
    scale = -(-max(width, height) // PREVIEW_SIDE)
    small = Image.new("RGB", (-(-width // scale), -(-height // scale))) if preview else None
    for top, strip in png_strips(path, multiple=scale):
        bottom = top + strip.height
        for own, (x, y) in zip(pixels, corners, strict=True):
            first, last = max(y, top), min(y + size, bottom)
            if first < last:
                own[first - y : last - y] = _as_rgb(strip.crop((x, first - top, x + size, last - top)))
        if small is not None:
            shown = strip if strip.mode in ("RGB", "L") else strip.convert("RGB")
            small.paste(shown.reduce(scale).convert("RGB"), (0, top // scale))
    return pixels, _as_jpeg(small) if small is not None else b""


def _preview(picture: Image.Image) -> bytes:
    scale = -(-max(picture.size) // PREVIEW_SIDE)
    if picture.mode.startswith("I;16"):
        return _as_jpeg(Image.fromarray(_as_rgb(picture)[::scale, ::scale]))
    if picture.mode in ("RGB", "L", "CMYK"):
        return _as_jpeg(picture.reduce(scale).convert("RGB"))
    return _as_jpeg(picture.convert("RGB").reduce(scale))


def _as_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
