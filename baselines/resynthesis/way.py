"""A way to make every candidate source show a picture again, and how far from the picture that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..encoders import Encoder
from .distances import distances

AT_ONCE = 256
"""Images per call of :meth:`Way.show`: their pictures are in memory together."""

Found = dict[str, dict[str, np.ndarray]]
"""Layer -> kind of distance (:data:`.rules.KINDS`) -> distances float64 (N, sources)."""


@dataclass(frozen=True)
class Comparison:
    """By what pictures are compared: an encoder, and a distance between its features."""

    encoder: Encoder
    distance: str

    def to_shown(self, features: np.ndarray, pictures: np.ndarray, layer: str) -> dict[str, np.ndarray]:
        """Distances (N,) of features (N, D) to pictures uint8 (N, draws, S, S, 3), each image to its own ones.

        To the nearest draw and, if there are several, to the mean of their features.
        """
        count, draws = pictures.shape[:2]
        shown = self.encoder.encode(pictures.reshape(-1, *pictures.shape[2:]), layer).reshape(count, draws, -1)
        found = {"nearest": distances(self.distance, features[:, None], shown)[:, 0].min(1)}
        if draws > 1:
            found["mean"] = distances(self.distance, features[:, None], shown.mean(1, keepdims=True))[:, 0, 0]
        return found


@dataclass(frozen=True)
class Shown:
    """What one source made of some images.

    Parameters
    ----------
    pictures : np.ndarray
        uint8 (N, draws, S, S, 3).
    seconds : float, optional
        That one picture took when it was made; None where nobody knows.
    """

    pictures: np.ndarray
    seconds: float | None = None


class Way:
    """How sources show pictures again.

    Attributes
    ----------
    name : str
        What it is called, for people.
    reads_texts : bool
        Whether it takes a text for each image.
    draws : int
        Pictures of each source that an image is compared with.
    sources : tuple of str
        Names of the sources.
    class_index : np.ndarray
        int64 (sources,), which seen generator each of them is.
    comparison : Comparison
        By what pictures are compared.
    """

    name: str
    reads_texts: bool = False
    draws: int = 1
    sources: tuple[str, ...]
    class_index: np.ndarray
    comparison: Comparison

    def __init__(self, sources: Sequence[str], class_index: Sequence[int], comparison: Comparison) -> None:
        self.sources, self.class_index, self.comparison = tuple(sources), np.array(class_index), comparison
        self._costs: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def show(self, number: int, images: np.ndarray, texts: Sequence[str]) -> Shown:
        """What source ``number`` makes of images uint8 (N, S, S, 3), and of a text for each where it reads texts."""
        raise NotImplementedError

    def measured(self, images: np.ndarray, texts: Sequence[str], layers: Sequence[str]) -> Found:
        """Distances of images uint8 (N, S, S, 3) to what every source makes of them, by some layers."""
        parts: list[Found] = []
        for start in range(0, len(images), AT_ONCE):
            piece = slice(start, start + AT_ONCE)
            parts.append(self._measured(images[piece], texts[piece], layers))
        kinds = parts[0][layers[0]]
        return {layer: {kind: np.concatenate([p[layer][kind] for p in parts]) for kind in kinds} for layer in layers}

    def _measured(self, images: np.ndarray, texts: Sequence[str], layers: Sequence[str]) -> Found:
        features = {layer: self.comparison.encoder.encode(images, layer) for layer in layers}
        columns: dict[str, list[dict[str, np.ndarray]]] = {layer: [] for layer in layers}
        for number in range(len(self.sources)):
            shown = self.show(number, images, texts)
            if shown.seconds is not None:
                self.count(number, shown.seconds, len(images))
            for layer in layers:
                columns[layer].append(self.comparison.to_shown(features[layer], shown.pictures, layer))
        return {
            layer: {kind: np.stack([c[kind] for c in of_layer], axis=1) for kind in of_layer[0]}
            for layer, of_layer in columns.items()
        }

    def arrays(self, layer: str) -> dict[str, np.ndarray]:
        """What a fitted method must keep besides the names of the sources, for one layer."""
        return {}

    # -- what it costs ---------------------------------------------------------------------------------------------

    def count(self, number: int, seconds: float, images: int) -> None:
        """Note that so many pictures of a source took so many seconds each."""
        total = self._costs[number]
        total[0] += seconds * images
        total[1] += images

    @property
    def seconds_per_image(self) -> dict[str, float]:
        """``way source`` -> mean seconds for one picture of that source when it was made."""
        return {f"{self.name} {self.sources[n]}": total / images for n, (total, images) in sorted(self._costs.items())}
