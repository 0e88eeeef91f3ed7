"""``via=reference``: pictures of a source that show whatever they show.

What is left of resynthesis without a caption: its control, and all that there is for sources that can do no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...benchmark.images import ImageSet
from ...core.errors import CheckpointError
from ...generation.pixels import decode_crop
from ...generation.shards import generated_rows
from .candidates import Candidate
from .distances import distances
from .made import Made
from .rules import KINDS
from .way import Comparison, Found, Way

_COMPARED = 200
"""So many references of a source show how far few of them are from the others."""
_AT_ONCE = 200
"""References that are made between two looks at the cache; a multiple of a suite's batch size is best."""


class Reference(Way):
    """Every image is compared with the same pictures of each source; the nearest one is found by an exact search.

    Parameters
    ----------
    sources : sequence of str
        Their names.
    class_index : sequence of int
        Which seen generator each of them is.
    comparison : Comparison
        By what pictures are compared.
    pictures : sequence of np.ndarray
        uint8 (M, S, S, 3) of each source; empty where ``features`` are kept from before.
    features : mapping of str to np.ndarray
        Layer -> float32 (all pictures, D), of the pictures of all sources one after the other.
    number : np.ndarray
        int64 (all pictures,), the source of each row.
    lift : np.ndarray
        float64 (kinds, sources), what is subtracted from the distances to a source that has fewer pictures than the
        others: the nearest of few is further away.
    """

    name = "reference"

    def __init__(
        self,
        sources: Sequence[str],
        class_index: Sequence[int],
        comparison: Comparison,
        pictures: Sequence[np.ndarray] = (),
        features: Mapping[str, np.ndarray] | None = None,
        number: np.ndarray | None = None,
        lift: np.ndarray | None = None,
    ) -> None:
        super().__init__(sources, class_index, comparison)
        self.pictures = pictures
        self.features = dict(features or {})
        self.number = np.repeat(np.arange(len(pictures)), [len(p) for p in pictures]) if number is None else number
        self.lift = np.zeros((len(KINDS), len(self.sources))) if lift is None else lift
        self.draws = int(np.bincount(self.number, minlength=len(self.sources)).min())

    def measured(self, images: np.ndarray, texts: Sequence[str], layers: Sequence[str]) -> Found:
        return {layer: self._by(layer, images) for layer in layers}

    def _by(self, layer: str, images: np.ndarray) -> dict[str, np.ndarray]:
        features, known = self.comparison.encoder.encode(images, layer), self._known(layer)
        groups = [known[self.number == n] for n in range(len(self.sources))]
        found = np.stack([self._to(features, group) for group in groups], axis=2) - self.lift[:, None]
        return dict(zip(KINDS, found, strict=True))

    def _to(self, features: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Distances (kinds, N) of features (N, D) to a group (M, D): to the nearest row, and to the mean of all."""
        name = self.comparison.distance
        nearest = distances(name, features, group).min(1)
        return np.stack([nearest, distances(name, features, group.mean(0, keepdims=True))[:, 0]])

    def with_source(self, name: str, class_index: int, layer: str, features: np.ndarray) -> Reference:
        """These references and those of one source more, by their features (n, D) in a layer; no others are kept."""
        known = self._known(layer)
        lift = np.hstack([self.lift, self._gaps(known, len(features))[:, None]])
        return Reference(
            [*self.sources, name],
            [*self.class_index.tolist(), class_index],
            self.comparison,
            features={layer: np.concatenate([known, features])},
            number=np.append(self.number, np.full(len(features), len(self.sources), self.number.dtype)),
            lift=lift,
        )

    def _gaps(self, known: np.ndarray, count: int) -> np.ndarray:
        """(kinds,): by how much further ``count`` pictures of a source are from its others than all of them are."""
        gaps: list[np.ndarray] = []
        for number in range(len(self.sources)):
            group = known[self.number == number][:_COMPARED]
            few = np.unique(np.linspace(0, len(group) - 1, min(count, len(group) - 1)).astype(np.int64))
            others = np.setdiff1d(np.arange(len(group)), few)
            for i in others:
                one, rest = group[i : i + 1], np.delete(group, i, axis=0)
                gaps.append((self._to(one, group[few]) - self._to(one, rest))[:, 0])
        return np.mean(gaps, axis=0) if gaps else np.zeros(len(KINDS))

    def distances_of_known(self, layer: str, number: int) -> np.ndarray:
        """Distances (kinds, N) of the pictures of all other sources to one source."""
        known = self._known(layer)
        own = self.number == number
        return self._to(known[~own], known[own]) - self.lift[:, number, None]

    def _known(self, layer: str) -> np.ndarray:
        if layer not in self.features:
            if not self.pictures:
                raise CheckpointError(f"the references of this model are not kept for layer {layer}.")
            encoded = [self.comparison.encoder.encode(pictures, layer) for pictures in self.pictures]
            self.features[layer] = np.concatenate(encoded)
        return self.features[layer]

    def arrays(self, layer: str) -> dict[str, np.ndarray]:
        return {"references": self._known(layer), "reference_source": self.number, "lift": self.lift}


def made_by(
    candidates: Sequence[Candidate],
    comparison: Comparison,
    count: int,
    size: int,
    seed: int,
    device: torch.device,
) -> Reference:
    """References that the candidates make, ``count`` each, by their suite's recipe and from seeds no data set has.

    Parameters
    ----------
    candidates : sequence of Candidate
        The sources.
    comparison : Comparison
        By what pictures are compared.
    count : int
        Pictures of each source.
    size : int
        Side of the crops in pixels. DatasetError if the pictures of a source are smaller.
    seed : int
        Of the draws; other seeds give other pictures.
    device : torch.device
        Where the networks run.
    """
    made = [_make(candidate, count, size, seed, device) for candidate in candidates]
    way = Reference(
        [one.name for one in candidates],
        [one.class_index for one in candidates],
        comparison,
        [pictures for pictures, _ in made],
    )
    for number, (_, seconds) in enumerate(made):
        way.count(number, seconds, count)
    return way


def taken_from(train: ImageSet, class_names: Sequence[str], comparison: Comparison, count: int, seed: int) -> Reference:
    """References drawn from the training images: up to ``count`` of each class, as many of every one."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(train.class_index == k) for k in range(len(class_names))]
    each = min(count, *(len(of_class) for of_class in rows))
    pictures = [train[np.sort(rng.permutation(of_class)[:each])] for of_class in rows]
    return Reference(class_names, range(len(class_names)), comparison, pictures)


def _make(candidate: Candidate, count: int, size: int, seed: int, device: torch.device) -> tuple[np.ndarray, float]:
    recipe = candidate.suite.recipe
    candidate.check_size(size, recipe.crop_size)
    unit = candidate.unit(f"{candidate.suite.version}/references-{seed}", count, device)
    unit = replace(unit, recipe=replace(recipe, frame="window"))

    def make(positions: np.ndarray) -> np.ndarray:
        start = int(positions[0]) // recipe.batch_size * recipe.batch_size
        made = generated_rows(unit, range(start, int(positions[-1]) + 1), lambda n: None)
        rows = {row["index"]: row for row in made}
        return np.stack([_crop(rows[int(i)], size) for i in positions])

    made = Made(candidate, "references", {"seed": seed, "recipe": recipe.document()}, size)
    return made.pictures([str(i).encode() for i in range(count)], make, _AT_ONCE)


def _crop(row: dict[str, Any], size: int) -> np.ndarray:
    margin = (row["crop_size"] - size) // 2
    return decode_crop(row["image"]["bytes"], row["crop_x"] + margin, row["crop_y"] + margin, size)
