"""Which of several methods surely differ: all pairs on the same images, with one error rate for all of them.

The difference of two methods is measured in its standard error: the variance of the paired difference over the joint
resamples of the images, plus what training again would change in either (:mod:`.seed_variance`). A pair is called
different when its ratio is larger than the largest ratio that chance gives to any pair still in question: step-down
max-T (Westfall and Young, 1993; Romano and Wolf, 2005). Chance is drawn: a resample of the images, the same for all
methods, and for each method a variance that its seeds leave possible. So pairs that move together, as all pairs of one
method do, cost little, which a correction by their number cannot know.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .outcome import FloatArray
from .paired import Side
from .seed_variance import NOTHING, seed_variance

DRAWS = 4000
"""How often chance is drawn: an error rate of 0.05 is met within 0.007."""

_STEP = 250  # draws at a time: bounds the memory


def max_t(sides: Sequence[Side], seed: int = 0) -> FloatArray:
    """p-values of all pairs, corrected for their number.

    With probability 1 - p none of the pairs of equally good methods has a value of p or less.

    Parameters
    ----------
    sides : sequence of Side
        n methods by one metric, each of its own training; all met the same R resamples of the same images.
    seed : int
        Of the drawing.

    Returns
    -------
    FloatArray
        (n, n), symmetric, 1 on the diagonal. All 1 if there are fewer than 2 resamples in which all are defined.

    Raises
    ------
    ValueError
        An undefined estimate, or sides with different numbers of resamples.
    """
    n = len(sides)
    p_values = np.ones((n, n))
    if len({len(side.values) for side in sides}) > 1 or not np.isfinite([side.estimate for side in sides]).all():
        raise ValueError("all sides need a defined estimate on the same resamples.")
    if n < 2:
        return p_values
    values = np.array([side.values for side in sides])
    values = values[:, np.isfinite(values).all(axis=0)]
    if values.shape[1] < 2:
        return p_values
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    images = values - values.mean(axis=1, keepdims=True)
    training = seed_variance([side.each for side in sides], DRAWS, rng)
    one, other = np.array(list(itertools.combinations(range(n), 2))).T
    cov = np.cov(values)
    variance = cov[one, one] + cov[other, other] - 2 * cov[one, other]
    error = np.sqrt(np.maximum(variance, 0) + training.expected[one] + training.expected[other])
    estimates = np.array([side.estimate for side in sides])
    ratios = _ratio(estimates[one] - estimates[other], error)
    order = np.argsort(-ratios, kind="stable")
    one, other, error, ratios = one[order], other[order], error[order], ratios[order]
    noise = images[:, np.arange(DRAWS) % images.shape[1]].T + rng.standard_normal((DRAWS, n)) * np.sqrt(training.draws)
    larger = np.zeros(len(ratios))
    for start in range(0, DRAWS, _STEP):
        part = noise[start : start + _STEP]
        drawn = _ratio(part[:, one] - part[:, other], error)
        # The largest ratio of this pair and all that come after it: those that would still be in question.
        largest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
        larger += (largest >= ratios * (1 - 1e-12)).sum(axis=0)
    found = np.maximum.accumulate((larger + 1) / (DRAWS + 1))
    p_values[one, other] = p_values[other, one] = np.minimum(found, 1.0)
    return p_values


def _ratio(difference: FloatArray, error: FloatArray) -> FloatArray:
    """Absolute differences in units of their errors; one that nothing can move is sure, or there is none."""
    size = np.abs(difference)
    still = np.where(size > np.sqrt(NOTHING), np.inf, 0.0)
    return np.divide(size, error, out=still, where=error > np.sqrt(NOTHING))
