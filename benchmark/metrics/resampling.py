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


def mean_of_drawn_seeds(values: FloatArray, seed: int, side: int = 0) -> FloatArray:
    """Each replicate's mean over training seeds drawn with replacement: (replicates, seeds, ...) to (replicates, ...).

    `side` tells the draws of two methods apart that are compared under one seed.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 1, side]))
    drawn = rng.integers(0, values.shape[1], size=values.shape[:2])
    drawn = drawn.reshape(drawn.shape + (1,) * (values.ndim - 2))
    return np.take_along_axis(values, drawn, axis=1).mean(axis=1)
