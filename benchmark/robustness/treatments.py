"""Laundering: what a platform does to an image between its generator and its examiner, as a grid of cells.

A :class:`Cell` names one treatment. Its order is that of a platform that takes an upload: decode the stored frame,
blur, resize, crop, compress, decode. The frame is the window around the benchmark crop, so what moves into the crop
are the real neighbouring pixels. Every step ends in uint8. The clean cell gives the benchmark crop to the bit.

**No pixel is invented.** A resized crop keeps the centre of the benchmark crop, moved inwards as far as the resized
frame demands. The phase then moves it by ``+phase`` or, where the frame ends, by ``phase - 8`` pixels, on each axis.
A frame that is smaller than the crop, or that lets it move neither way, is *too small* for the cell. (At its own border
a frame is blurred and resampled by repeating its edge, as every resizer does at the border of an image.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import product
from typing import Any, cast

import numpy as np
from PIL import Image
from scipy import ndimage  # pyright: ignore[reportMissingTypeStubs]

from ...core.errors import UsageError, unknown_name
from ...generation.pixels import Box, decode_frame, encode_full

JPEG_GRID = 8
"""Side in pixels of a JPEG block: phases count modulo this."""

SUBSAMPLING = "4:2:0"


@dataclass(frozen=True)
class Cell:
    """One treatment; the default values leave an image as it is.

    Attributes
    ----------
    quality : int or None
        JPEG quality of the crop, 1..100, its block grid at the crop's corner; None = not compressed.
    phase : int
        How far the crop is moved against the benchmark crop on both axes, in pixels modulo 8.
    resize : float
        Factor of both sides of the frame, by Lanczos.
    blur : float
        Standard deviation in pixels of the frame of a Gaussian; 0 = none.
    """

    quality: int | None = None
    phase: int = 0
    resize: float = 1.0
    blur: float = 0.0

    @property
    def name(self) -> str:
        """As in a file name, e.g. ``quality-75_phase-4_resize-1.25_blur-0``; :func:`cell_of` reads it back."""
        return "_".join(f"{axis}-{value_text(getattr(self, axis))}" for axis in AXES)

    def __str__(self) -> str:
        return ", ".join(f"{axis} {value_text(getattr(self, axis))}" for axis in AXES)


CLEAN = Cell()
"""The benchmark crop itself."""

AXES = tuple(field.name for field in fields(Cell))


@dataclass(frozen=True)
class Grid:
    """The values of every axis, the clean one first; a surface has a cell for every combination."""

    quality: tuple[int | None, ...] = (None, 90, 75, 60)
    phase: tuple[int, ...] = (0, 4)
    resize: tuple[float, ...] = (1.0, 0.75, 1.25)
    blur: tuple[float, ...] = (0.0, 0.5, 1.0)

    def cells(self) -> list[Cell]:
        """Every combination, the clean cell first."""
        axes = product(self.resize, self.blur, self.quality, self.phase)
        return [Cell(quality, phase, resize, blur) for resize, blur, quality, phase in axes]


def value_text(value: float | None) -> str:
    """A value of an axis as people write it: ``none``, ``75``, ``1.25``."""
    return "none" if value is None else f"{value:g}"


def _quality(text: str) -> int | None:
    return None if text == "none" else int(text)


#: How each axis reads a value, and what it may be.
_READ: dict[str, tuple[Callable[[str], Any], Callable[[Any], bool], str]] = {
    "quality": (_quality, lambda v: v is None or 1 <= v <= 100, "none or 1 to 100"),
    "phase": (int, lambda v: 0 <= v < JPEG_GRID, "0 to 7"),
    "resize": (float, lambda v: 0.1 <= v <= 4, "0.1 to 4"),
    "blur": (float, lambda v: 0 <= v <= 20, "0 to 20"),
}


def _value(axis: str, text: str) -> Any:
    read, allowed, words = _READ[axis]
    try:
        value = read(text)
        # A value must survive its own name, or a file could not be found again.
        if not allowed(value) or read(value_text(value)) != value:
            raise ValueError
    except ValueError as error:
        raise UsageError(f"'{text:.20}' is no {axis} of a laundering grid; give {words}, at most 6 digits.") from error
    return value


def parse_grid(text: str) -> Grid:
    """``"quality=none,70;blur=0,1"`` -> a grid; axes that are not named stay clean.

    The clean value of an axis is always part of it. UsageError for an unknown axis or a value out of range.
    """
    axes: dict[str, tuple[Any, ...]] = {axis: (getattr(CLEAN, axis),) for axis in AXES}
    for part in filter(None, text.replace(" ", "").split(";")):
        axis, _, values = part.partition("=")
        if axis not in axes:
            raise unknown_name("axis of the laundering grid", axis, AXES)
        given = [_value(axis, value) for value in values.split(",")]
        axes[axis] = tuple(dict.fromkeys((getattr(CLEAN, axis), *given)))
    return Grid(**axes)


def cell_of(name: str) -> Cell:
    """The cell of a :attr:`Cell.name`; UsageError for any other text."""
    parts = [part.split("-", 1) for part in name.split("_")]
    if tuple(part[0] for part in parts) != AXES or any(len(part) != 2 for part in parts):
        raise UsageError(f"'{name:.80}' names no cell of a laundering grid.")
    cell = Cell(**{axis: _value(axis, text) for axis, text in parts})
    if cell.name != name:
        raise UsageError(f"'{name:.80}' names no cell of a laundering grid; '{cell.name}' would.")
    return cell


def place(side: int, start: int, size: int, cell: Cell) -> int | None:
    """Where the crop begins on one axis of the resized frame, in pixels; None if the frame is too small for it.

    Parameters
    ----------
    side : int
        Of the stored frame, in pixels.
    start, size : int
        Of the benchmark crop in it, in pixels.
    cell : Cell
        The treatment.

    Returns
    -------
    int or None
        Pixels of the resized frame.
    """
    scaled = _scaled(side, cell)
    free = scaled - size
    if free < 0:
        return None
    centre = (start + size / 2) * scaled / side
    base = min(max(math.floor(centre - size / 2 + 0.5), 0), free)
    moved = (base + cell.phase, base + cell.phase - JPEG_GRID)
    return next((position for position in moved if 0 <= position <= free), None)


def fits(height: int, width: int, crop: Box, cell: Cell) -> bool:
    """Whether a stored frame of that size has enough pixels around its crop for the cell."""
    return None not in (place(width, crop.x, crop.width, cell), place(height, crop.y, crop.height, cell))


def launder(frame: np.ndarray, crop: Box, cell: Cell) -> np.ndarray:
    """A stored frame, uint8 (H, W, 3), with its benchmark crop (a square) under a cell: uint8 (S, S, 3).

    UsageError if the frame is too small for the cell.
    """
    height, width = frame.shape[:2]
    left, top = place(width, crop.x, crop.width, cell), place(height, crop.y, crop.height, cell)
    if left is None or top is None:
        raise UsageError(f"a {width}x{height} frame is too small for a {crop.width} px crop under {cell}.")
    resized = _resized(_blurred(frame, cell), cell)
    return _compressed(resized[top : top + crop.height, left : left + crop.width], cell)


def _scaled(side: int, cell: Cell) -> int:
    return round(side * cell.resize)


def _blurred(frame: np.ndarray, cell: Cell) -> np.ndarray:
    if cell.blur == CLEAN.blur:
        return frame
    blurred = cast(Any, ndimage).gaussian_filter(frame.astype(np.float32), (cell.blur, cell.blur, 0), mode="nearest")
    return np.rint(blurred).clip(0, 255).astype(np.uint8)


def _resized(frame: np.ndarray, cell: Cell) -> np.ndarray:
    if cell.resize == CLEAN.resize:
        return frame
    size = _scaled(frame.shape[1], cell), _scaled(frame.shape[0], cell)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def _compressed(crop: np.ndarray, cell: Cell) -> np.ndarray:
    if cell.quality is None:
        return np.ascontiguousarray(crop)
    whole = Box(0, 0, crop.shape[1], crop.shape[0])
    return decode_frame(encode_full(crop, whole, cell.quality, SUBSAMPLING).bytes)
