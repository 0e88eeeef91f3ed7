"""The stored frames of test images: for those who need the pixels around the benchmark crop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.errors import DatasetError
from ..generation.dataset import Dataset
from ..generation.pixels import Box, decode_frame, frame_size
from .images import captions_of, index_positions
from .manifest import Manifest


@dataclass(frozen=True)
class StoredFrame:
    """One image as it is stored: encoded bytes, its size in pixels, the square that a method gets of it, its place.

    caption: what it shows, in words; None if nobody says.
    """

    image_id: str
    data: bytes
    height: int
    width: int
    crop: Box
    where: str
    caption: str | None = None

    def decode(self) -> np.ndarray:
        """The whole frame, uint8 (height, width, 3); DatasetError, naming shard and image, if it is damaged."""
        try:
            return decode_frame(self.data)
        except DatasetError as error:
            raise DatasetError(f"{self.where}: {error}") from error


def load_test_frames(dataset: Dataset, manifest: Manifest, crop_size: int) -> list[StoredFrame]:
    """All test images in the order of the manifest, in memory but not decoded (a few kilobytes each).

    crop_size: side in pixels; smaller than the stored crop means its centre, as for training.
    DatasetError for a damaged or changed shard, or a manifest of another dataset.
    """
    index = dataset.index()
    ids = np.asarray(manifest.rows("test")["image_id"], dtype=str)
    wanted = index.iloc[index_positions(ids, index, dataset)]
    found = {frame.image_id: frame for frame in _read(dataset, wanted, crop_size)}
    return [found[name] for name in ids]


def _read(dataset: Dataset, wanted: pd.DataFrame, size: int) -> Iterator[StoredFrame]:
    margin = (dataset.crop_size - size) // 2
    ledger = {entry.file: entry for entry in dataset.shards()}
    for shard, rows in wanted.groupby("shard", sort=True):
        dataset.check_shard(ledger[str(shard)])
        encoded = dataset.read_images(str(shard), rows["row"].tolist())
        places = rows[["image_id", "crop_x", "crop_y"]].itertuples(index=False, name=None)
        for data, (name, x, y), caption in zip(encoded, places, captions_of(rows), strict=True):
            crop = Box(x + margin, y + margin, size, size)
            yield _frame(name, data, crop, f"{dataset.path / str(shard)}, {name}", caption)


def _frame(name: str, data: bytes, crop: Box, where: str, caption: str | None) -> StoredFrame:
    try:
        height, width = frame_size(data)
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error
    if crop.x < 0 or crop.y < 0 or crop.x + crop.width > width or crop.y + crop.height > height:
        raise DatasetError(f"{where}: its crop leaves the stored {width}x{height} frame. Run 'osbench verify'.")
    return StoredFrame(name, data, height, width, crop, where, caption)
