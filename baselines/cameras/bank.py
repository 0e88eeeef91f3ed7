"""Crops of camera pictures on disk: made once, in the order of their units, continued after an interruption.

A unit is what is made in one piece: a scene seen by all virtual cameras, or one photograph. Crops are cut out at random
places, aligned to nothing and never resampled.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...benchmark.images import ImageSet
from ...core.disk import shortage
from ...core.errors import DatasetError
from ...core.progress import progress_bar

PIXELS, DONE = "pixels.npy", "done.npy"


class CropSource(Protocol):
    """Where crops come from; every method is a pure function, so that workers need no common state."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The cameras."""
        ...

    @property
    def crop_size(self) -> int:
        """Side of the crops in pixels."""
        ...

    def units(self) -> int:
        """How many units there are; all have the same number of crops."""
        ...

    def labels(self, unit: int) -> np.ndarray:
        """Camera numbers int64 (R,) of a unit's crops."""
        ...

    def split(self, unit: int) -> str:
        """ "train", "val" or "test"."""
        ...

    def crops(self, unit: int) -> np.ndarray:
        """uint8 (R, S, S, 3)."""
        ...

    def describe(self) -> dict[str, Any]:
        """For the card of the weights; two sources with equal descriptions have equal crops."""
        ...


def build_bank(source: CropSource, folder: Path, *, workers: int = 1) -> ImageSet:
    """All crops of a source as an :class:`ImageSet`; ``class_index`` counts ``source.class_names``.

    folder: holds the pixels; a bank that was begun there by the same source is continued. Nothing depends on
    ``workers``. DatasetError names a photograph that cannot be used, or says that the disk is too
    small.
    """
    labels = [source.labels(unit) for unit in range(source.units())]
    rows, size = len(labels[0]), source.crop_size
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, len(labels) * rows * size * size * 3)
    done = _memory_map(folder / DONE, (len(labels),))
    pixels = _memory_map(folder / PIXELS, (len(labels) * rows, size, size, 3))
    missing = np.flatnonzero(done == 0).tolist()
    with progress_bar("camera pictures", len(labels) * rows, "crop", (len(labels) - len(missing)) * rows) as bar:
        for unit, crops in _made(source, missing, workers):
            pixels[unit * rows : (unit + 1) * rows] = crops
            pixels.flush()
            done[unit] = 1  # only after its pixels, so that a killed process leaves no unit half made
            bar.update(rows)
    done.flush()
    return _image_set(source, np.load(folder / PIXELS, mmap_mode="c"), np.concatenate(labels), rows)


def _check_room(folder: Path, needed: int) -> None:
    lacking = None if (folder / PIXELS).exists() else shortage(folder, needed)
    if lacking:
        raise DatasetError(f"the crops need {lacking}: free disk space or ask for fewer crops.")


def _memory_map(path: Path, shape: tuple[int, ...]) -> np.memmap:
    if path.exists():
        return np.lib.format.open_memmap(path, mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)


def _made(source: CropSource, units: list[int], workers: int) -> Iterator[tuple[int, np.ndarray]]:
    if workers == 1 or len(units) < 2:
        yield from ((unit, source.crops(unit)) for unit in units)
        return
    context = multiprocessing.get_context("spawn")  # PyTorch does not survive a fork
    with ProcessPoolExecutor(min(workers, len(units)), context) as pool:
        try:
            yield from zip(units, pool.map(source.crops, units), strict=True)
        except BrokenProcessPool as error:
            raise DatasetError("a worker process was killed; use fewer --workers if memory ran out.") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _image_set(source: CropSource, pixels: np.ndarray, labels: np.ndarray, rows: int) -> ImageSet:
    split = np.repeat([source.split(unit) for unit in range(source.units())], rows)
    return ImageSet(
        store=pixels,
        rows=np.arange(len(labels)),
        image_ids=np.array([f"{i:08d}" for i in range(len(labels))]),
        class_index=labels,
        generator=np.array(source.class_names)[labels],
        openness=np.full(len(labels), "seen"),
        split_name=split,
    )
