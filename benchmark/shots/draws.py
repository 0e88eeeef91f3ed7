"""Other test images, other repeats: the draws that all lines of a drawing share.

The groups of the test images (characters) are resampled, the same for all lines, so that differences are paired. A
bootstrap of few groups finds too small a variance and a normal distribution; both are mended by Student's t. What
repeats would change is drawn from their standard error, again by Student's t, the same draws for all lines and shots,
because a repeat's training images are shared too. One repeat tells nothing of others, and adds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri, stdtrit  # pyright: ignore[reportMissingTypeStubs]

from ..metrics.outcome import FloatArray

LEVEL = 0.95
_BLOCK = 32


@dataclass(frozen=True)
class Cell:
    """A metric in one repeat: on the test images, and on each resample of them (B,)."""

    value: float
    resampled: FloatArray


def mean_cell(cells: Sequence[Cell]) -> Cell:
    """The mean over the training seeds of one repeat."""
    return Cell(float(np.mean([c.value for c in cells])), np.mean([c.resampled for c in cells], axis=0))


class Draws:
    """Resamples of groups of images, and of repeats.

    Parameters
    ----------
    groups : sequence of str
        Names of the groups; empty where images are resampled by themselves, elsewhere.
    repeats : int
        How many repeats there are at most.
    replicates, seed : int
        Number of draws, and their seed.
    """

    def __init__(self, groups: Sequence[str], repeats: int, replicates: int, seed: int) -> None:
        self.groups = {name: i for i, name in enumerate(groups)}
        self.replicates = replicates
        rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
        count = max(1, len(groups))
        self._counts = rng.multinomial(count, np.full(count, 1 / count), size=replicates).astype(np.uint16)
        self._normal = rng.standard_normal((replicates, repeats))
        self._uniform = rng.random(replicates)

    def weights(self, groups: Sequence[str]) -> Iterator[NDArray[np.uint16]]:
        """How often each image counts, from the groups (N,) of the images: (at most 32, N) at a time."""
        columns = np.array([self.groups[name] for name in groups])
        for start in range(0, self.replicates, _BLOCK):
            yield self._counts[start : start + _BLOCK, columns]

    def mean(self, cells: Mapping[int, Cell]) -> FloatArray:
        """Replicates (B,) of the mean over repeats, from the cells by repeat; not confined to the metric's range."""
        values = np.array([cell.value for cell in cells.values()])
        found = np.mean([cell.resampled for cell in cells.values()], axis=0)
        found = values.mean() + self._widening() * (found - values.mean())
        n = len(values)
        if n > 1:
            noise = self._normal[:, list(cells)]
            noise = (noise - noise.mean(axis=1, keepdims=True)) / math.sqrt(n * (n - 1))
            scale = np.sqrt((n - 1) / (2 * gammaincinv((n - 1) / 2, self._uniform)))
            found = found + scale * (noise @ values)
        return found

    def _widening(self) -> float:
        n = len(self.groups)
        if n < 2:
            return 1.0
        return float(math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + LEVEL) / 2) / ndtri((1 + LEVEL) / 2))


def bounds(values: FloatArray) -> tuple[float, float]:
    """The interval of some replicates: order statistics, so that infinity is a value like any other."""
    ordered = np.sort(values)
    last = len(ordered) - 1
    return float(ordered[math.floor(last * (1 - LEVEL) / 2)]), float(ordered[math.ceil(last * (1 + LEVEL) / 2)])
