"""Resyntheses that lie in a data set beside the originals, as a suite of characters makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import DatasetError
from ...generation.characters import ORIGINAL, RESYNTHESIS
from ...generation.dataset import Dataset
from ...generation.pixels import decode_crop, pixel_sha256
from .way import Comparison, Shown, Way


class Stored(Way):
    """Resyntheses of a data set, found by the pixels of the original that they were made of.

    Parameters
    ----------
    folder : Path
        The data set. DatasetError if it is none, or has no resynthesis.
    class_names : sequence of str
        The seen generators. DatasetError if one made no resynthesis.
    comparison : Comparison
        By what pictures are compared.
    """

    name = "stored"

    def __init__(self, folder: Path, class_names: Sequence[str], comparison: Comparison) -> None:
        super().__init__(class_names, range(len(class_names)), comparison)
        self.dataset = Dataset.open(folder)
        originals, made = (self.dataset.index(role) for role in (ORIGINAL, RESYNTHESIS))
        shown = originals.set_index("image_id")["pixel_sha256"]
        made = made.assign(shown=made["of_image_id"].map(shown)).dropna(subset=["shown"])
        absent = sorted(set(class_names) - set(made["generator"]))
        if absent:
            raise DatasetError(f"{folder} has no resynthesis by {', '.join(absent)}.")
        made = made[made["generator"].isin(class_names)].sort_values(["of_image_id", "generator", "index"])
        self.rows: dict[Any, pd.DataFrame] = dict(iter(made.groupby(["shown", "generator"])))
        counts = {len(rows) for rows in self.rows.values()}
        if len(counts) > 1:
            raise DatasetError(f"{folder} has {min(counts)} to {max(counts)} resyntheses of an image by one source.")
        (self.draws,) = counts

    def show(self, number: int, images: np.ndarray, texts: Sequence[str]) -> Shown:
        source, size = self.sources[number], images.shape[1]
        if size > self.dataset.crop_size:
            raise DatasetError(f"{self.dataset.path} stores crops of {self.dataset.crop_size} px, not of {size} px.")
        digests = [pixel_sha256(image) for image in images]
        absent = [digest for digest in digests if (digest, source) not in self.rows]
        if absent:
            raise DatasetError(
                f"{self.dataset.path} has no resynthesis by {source} of {len(absent)} of {len(images)} images (the "
                f"first: pixel_sha256 {absent[0]}); a smaller crop than the stored one has none either."
            )
        wanted = pd.concat([self.rows[digest, source] for digest in digests], ignore_index=True)
        pictures = np.empty((len(wanted), size, size, 3), np.uint8)
        margin = (self.dataset.crop_size - size) // 2
        for shard, rows in wanted.groupby("shard"):
            encoded = self.dataset.read_images(str(shard), rows["row"].tolist())
            places = rows[["crop_x", "crop_y"]].itertuples(name=None)
            for data, (at, x, y) in zip(encoded, places, strict=True):
                pictures[at] = decode_crop(data, x + margin, y + margin, size)
        return Shown(pictures.reshape(len(images), self.draws, size, size, 3))
