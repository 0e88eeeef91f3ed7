"""Stratified resamples of the test images as weights, drawn once for all runs on them, and metrics over them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .outcome import FloatArray, Outcome, check_same_images
from .summary import Metric
from .tally import Tally

BLOCK = 32  # replicates drawn at a time: part of what a seed means, so never a choice of the caller
_KEPT_BYTES = 1 << 29  # weights beyond this are drawn again for every run


class Resamples:
    """Bootstrap resamples within each generator, the same for every run on the same images.

    Every generator keeps its number of images; a weight says how often an image was drawn. The weights depend only on
    the truth and the seed, and the first replicates of a long run are those of a short one. They are drawn when they
    are first needed and kept, so that all entries, rules and pairs of a board share one drawing. Several threads may
    ask at once.

    Parameters
    ----------
    outcome : Outcome
        Any run on the images.
    replicates : int
        How many resamples, at least 1.
    seed : int
        Of the drawing.

    Raises
    ------
    ValueError
        Fewer than 1 replicate.
    """

    def __init__(self, outcome: Outcome, replicates: int = 1000, seed: int = 0) -> None:
        if replicates < 1:
            raise ValueError(f"a bootstrap needs at least 1 replicate, not {replicates}.")
        self.replicates, self.seed = replicates, seed
        self._images = outcome
        self._strata = outcome.strata()
        self._lock = threading.Lock()
        self._kept: list[NDArray[np.uint16]] = []

    def check(self, outcome: Outcome) -> None:
        """RunError unless the outcome answers the images that are resampled here."""
        check_same_images(self._images, outcome)

    def blocks(self) -> Iterator[NDArray[np.uint16]]:
        """Weights, uint16 (at most 32, N) at a time, ``replicates`` rows in all."""
        if 2 * self.replicates * len(self._images) > _KEPT_BYTES:
            yield from self._draw()
            return
        with self._lock:
            if not self._kept:
                self._kept = list(self._draw())
        yield from self._kept

    def _draw(self) -> Iterator[NDArray[np.uint16]]:
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, 0]))
        for start in range(0, self.replicates, BLOCK):
            weights = np.zeros((len(self._images), BLOCK), np.uint16)  # as a Tally wants them in memory
            for rows in self._strata:
                draws = rng.integers(0, len(rows), size=(BLOCK, len(rows)), dtype=np.int32)
                cells = (draws * np.int64(BLOCK) + np.arange(BLOCK)[:, None]).ravel()
                weights[rows] = np.bincount(cells, minlength=BLOCK * len(rows)).reshape(-1, BLOCK)
            yield weights.T[: self.replicates - start]


@dataclass(frozen=True)
class Replicates:
    """Metrics of one method on the images as they are, and on resamples of them.

    Attributes
    ----------
    each : Mapping[str, FloatArray]
        Metric -> its value for each training seed, float64 (seeds,) or (seeds, k).
    values : Mapping[str, FloatArray]
        Metric -> its value on each resample, float64 (replicates, seeds) or (replicates, seeds, k).
    seed : int
        Of the resampling.
    """

    each: Mapping[str, FloatArray]
    values: Mapping[str, FloatArray]
    seed: int

    @property
    def seeds(self) -> int:
        """How many training seeds there are."""
        return len(next(iter(self.each.values())))


def replicate(
    outcomes: Sequence[Outcome],
    thresholds: Sequence[float | None],
    metrics: Mapping[str, Metric],
    resamples: Resamples,
    pool: Executor | None = None,
) -> Replicates:
    """Each metric on the images as they are and on each resample of them.

    Parameters
    ----------
    outcomes : sequence of Outcome
        The training seeds of one method on the same images; a replicate uses one resample for all of them.
    thresholds : sequence of float, optional
        One for each outcome; None if no metric reads one.
    metrics : mapping of str to Metric
        What to count.
    resamples : Resamples
        Of these images.
    pool : concurrent.futures.Executor, optional
        Threads that count side by side: the counting is done outside Python's lock. The numbers are the same.

    Raises
    ------
    RunError
        The outcomes are of other images than the resamples.
    ValueError
        No outcome at all, or not one threshold for each.
    """
    if not outcomes or len(outcomes) != len(thresholds):
        raise ValueError(f"one threshold for each outcome is needed: {len(outcomes)} outcomes, {len(thresholds)}.")
    each: dict[str, list[FloatArray]] = {name: [] for name in metrics}
    values: dict[str, list[FloatArray]] = {name: [] for name in metrics}
    for outcome, threshold in zip(outcomes, thresholds, strict=True):
        resamples.check(outcome)
        plain = Tally(outcome, threshold)
        for name, metric in metrics.items():
            each[name].append(metric.kernel(plain)[0])
        # The plain tally has sorted the images, so that the threads only read what belongs to the outcome.
        count = partial(_count, outcome, threshold, metrics)
        parts = list((pool.map if pool else map)(count, resamples.blocks()))
        for name in metrics:
            values[name].append(np.concatenate([part[name] for part in parts]))
    return Replicates(
        {name: np.array(found) for name, found in each.items()},
        {name: np.stack(found, axis=1) for name, found in values.items()},
        resamples.seed,
    )


def _count(
    outcome: Outcome, threshold: float | None, metrics: Mapping[str, Metric], weights: NDArray[np.uint16]
) -> dict[str, FloatArray]:
    tally = Tally(outcome, threshold, weights)
    return {name: metric.kernel(tally) for name, metric in metrics.items()}


def with_seed_noise(values: FloatArray, each: FloatArray, seed: int) -> FloatArray:
    """Replicates of the mean over training seeds: (replicates, seeds, ...) and (seeds, ...) to (replicates, ...).

    What other images would change is in ``values``. What other seeds would change is drawn: the standard error of
    ``each`` (the seeds' values on the data as they are) times Student's t with seeds - 1 degrees of freedom. Resampling
    the seeds would be too narrow: of three seeds it finds two thirds of their variance. Nothing is added for a single
    seed. Clipped to 0..1, the range of every metric.
    """
    means = values.mean(axis=1)
    n = values.shape[1]
    if n == 1:
        return means
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    drawn = rng.standard_t(n - 1, size=len(means)).reshape(-1, *[1] * (means.ndim - 1))
    return np.clip(means + drawn * each.std(axis=0, ddof=1) / np.sqrt(n), 0.0, 1.0)
