"""The captions that come with the images: the column ``prompt`` of a data set, or what the user says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...benchmark.images import ImageSet
from ...core.errors import DatasetError
from ...generation.pixels import pixel_sha256
from .describer import Describer
from .nearest import NearestCaption


class DatasetCaptions(Describer):
    """What :meth:`tell` was told about an image; for an image about which nobody said anything, the nearest caption.

    Parameters
    ----------
    nearest : NearestCaption
        Asked about the others.
    """

    def __init__(self, nearest: NearestCaption) -> None:
        self.nearest = nearest
        self._told: dict[str, str] = {}

    def learn(self, images: ImageSet) -> None:
        if images.captions is not None:
            self.tell(images.pixels, list(images.captions))
        self.nearest.learn(images)

    def tell(self, images: np.ndarray, captions: Sequence[str | None]) -> None:
        pairs = zip(map(pixel_sha256, images), captions, strict=True)
        self._told |= {digest: caption for digest, caption in pairs if caption is not None}

    def arrays(self) -> dict[str, np.ndarray]:
        return self.nearest.arrays()

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.nearest.restore(arrays)

    def of(self, images: np.ndarray) -> list[str]:
        digests = [pixel_sha256(image) for image in images]
        without = [i for i, digest in enumerate(digests) if digest not in self._told]
        texts = [self._told.get(digest, "") for digest in digests]
        empty = [digest for digest in digests if not self._told.get(digest, "?").strip()]
        if empty:
            raise DatasetError(
                f"{len(empty)} of {len(digests)} images have an empty caption (the first: pixel_sha256 {empty[0]}): "
                "give captions of your own with captions=FILE, or take captions=nearest."
            )
        if without and not self.nearest.texts:
            raise DatasetError(
                f"{len(without)} of {len(digests)} images have no caption (the first: pixel_sha256 "
                f"{digests[without[0]]}), and none is known: give captions=FILE."
            )
        if without:
            for i, text in zip(without, self.nearest.of(images[without]), strict=True):
                texts[i] = text
        return texts
