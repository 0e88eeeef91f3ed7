"""Nearest known caption: the caption whose training images are most alike, by an encoder."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from ...benchmark.images import ImageSet
from ...core.errors import DatasetError
from ..encoders import Encoder, unit_norm
from .describer import Describer

PER_CAPTION = 4
"""Training images that are looked at for each caption, the first ones."""


class NearestCaption(Describer):
    """One mean feature vector for each known caption, compared by the cosine.

    Content shows in an encoder's last layer, which is the one that is asked.

    Attributes
    ----------
    texts : tuple of str
        The known captions, sorted.
    centres : np.ndarray
        float32 (captions, D), unit norm.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.texts: tuple[str, ...] = ()
        self.centres = np.zeros((0, 0), np.float32)

    def learn(self, images: ImageSet) -> None:
        known = {} if images.captions is None else _first_of_each(images.captions)
        self.texts = tuple(sorted(known))
        if self.texts:
            rows = np.concatenate([known[text] for text in self.texts])
            features = self._features(images[rows])
            ends = np.cumsum([len(known[text]) for text in self.texts])[:-1]
            self.centres = unit_norm(np.stack([part.mean(0) for part in np.split(features, ends)]))

    def of(self, images: np.ndarray) -> list[str]:
        if not self.texts:
            raise DatasetError("no training image has a caption, so that none is known: give captions=FILE.")
        best = (self._features(images) @ self.centres.T).argmax(1)
        return [self.texts[i] for i in best]

    def arrays(self) -> dict[str, np.ndarray]:
        return {"texts": np.frombuffer(json.dumps(self.texts).encode(), np.uint8), "centres": self.centres}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.texts, self.centres = tuple(json.loads(arrays["texts"].tobytes())), arrays["centres"]

    def _features(self, images: np.ndarray) -> np.ndarray:
        return unit_norm(self.encoder.encode(images, self.encoder.layers[-1]))


def _first_of_each(captions: np.ndarray) -> dict[str, np.ndarray]:
    """Caption -> positions of the first images that have it; an empty one is none."""
    known = {text for text in captions if text is not None and text.strip()}
    return {text: np.flatnonzero(captions == text)[:PER_CAPTION] for text in known}
