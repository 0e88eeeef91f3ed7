"""Stratified resamples of the test images as weights, and metrics over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .outcome import FloatArray, IntArray, Outcome, check_same_images
from .summary import Metric
from .tally import Tally

BLOCK = 32  # replicates at a time: bounds the memory; part of what a seed means, so never a choice of the caller


def stratified_weights(outcome: Outcome, replicates: int, seed: int) -> Iterator[IntArray]:
    """Bootstrap resamples within each generator, as blocks of weights, int64 (<= 32, N).

    Every generator keeps its number of images; each row says how often each image was drawn. The weights depend only
    on the truth and the seed, so runs on the same images meet the same resamples, and the first replicates of a long
    run are those of a short one.

    Raises
    ------
    ValueError: fewer than 1 replicate.
    """
    if replicates < 1:
        raise ValueError(f"a bootstrap needs at least 1 replicate, not {replicates}.")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    strata = outcome.strata()
    for start in range(0, replicates, BLOCK):
        weights = np.zeros((BLOCK, len(outcome)), np.int64)
        for rows in strata:
            draws = rng.integers(0, len(rows), size=(BLOCK, len(rows)), dtype=np.int32)
            cells = (draws + np.arange(BLOCK)[:, None] * len(rows)).ravel()
            weights[:, rows] = np.bincount(cells, minlength=BLOCK * len(rows)).reshape(BLOCK, -1)
        yield weights[: replicates - start]


def replicate_values(
    outcomes: Sequence[Outcome],
    thresholds: Sequence[float | None],
    metrics: Mapping[str, Metric],
    *,
    replicates: int,
    seed: int,
) -> dict[str, FloatArray]:
    """Each metric on each bootstrap replicate of the images, float64 (replicates, seeds) or (replicates, seeds, k).

    The outcomes are the training seeds of one method on the same images; a replicate uses one resample for all of them.

    Raises
    ------
    RunError: the outcomes are of different images. ValueError: none at all, or not one threshold for each.
    """
    if not outcomes or len(outcomes) != len(thresholds):
        raise ValueError(f"one threshold for each outcome is needed: {len(outcomes)} outcomes, {len(thresholds)}.")
    for other in outcomes[1:]:
        check_same_images(outcomes[0], other)
    blocks: dict[str, list[FloatArray]] = {name: [] for name in metrics}
    for weights in stratified_weights(outcomes[0], replicates, seed):
        tallies = [Tally(o, t, weights) for o, t in zip(outcomes, thresholds, strict=True)]
        for name, metric in metrics.items():
            blocks[name].append(np.stack([metric.kernel(tally) for tally in tallies], axis=1))
    return {name: np.concatenate(parts) for name, parts in blocks.items()}


def with_seed_noise(values: FloatArray, each: FloatArray, seed: int) -> FloatArray:
    """Replicates of the mean over training seeds: (replicates, seeds, ...) and (seeds, ...) to (replicates, ...).

    What other images would change is in ``values``, what other seeds would change is drawn: the standard error of
    ``each``, the seeds' values on the data as they are, times Student's t with seeds - 1 degrees of freedom, because a
    few seeds tell little of their own spread (resampling three of them with replacement finds two thirds of their
    variance). Nothing is added for a single seed. Clipped to 0..1, the range of every metric.
    """
    means = values.mean(axis=1)
    n = values.shape[1]
    if n == 1:
        return means
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    drawn = rng.standard_t(n - 1, size=len(means)).reshape(-1, *[1] * (means.ndim - 1))
    return np.clip(means + drawn * each.std(axis=0, ddof=1) / np.sqrt(n), 0.0, 1.0)
