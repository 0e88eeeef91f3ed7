"""How much training again changes each of several methods, learned from all of them together.

Three seeds tell little of a method's own variance: two degrees of freedom. Methods of one board are alike in it, though
not equal, so their variances v are taken as draws from one law, an inverse chi-square with scale s0^2 and d0 degrees of
freedom (Smyth, 2004: moderated variances). A large d0 pools all methods, a small one leaves each alone. Both are
unknown: every pair on a grid is weighted by how well it explains the variances that were measured (Student's ratio:
s^2 / s0^2 follows F with the seeds' degrees of freedom and d0), none preferred beforehand. Plugging in the single best
pair instead calls too many methods different where there are few to learn from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from .outcome import FloatArray

NOTHING = 1e-24
"""A variance of metric values that is none: seeds that agree to the last digits."""

_FREEDOMS = 2.0 ** np.arange(0, 10.5, 0.5)
_SCALES = 200


@dataclass(frozen=True)
class SeedVariance:
    """The variance over seeds of the mean of each of n methods.

    Attributes
    ----------
    expected : FloatArray
        (n,) one over the expected precision; 0 where the seeds do not differ.
    draws : FloatArray
        (D, n) the variances that the measured ones leave possible, each row from one law.
    """

    expected: FloatArray
    draws: FloatArray


def seed_variance(each: Sequence[FloatArray], draws: int, rng: np.random.Generator) -> SeedVariance:
    """What the seeds of n methods tell about the variance of their means.

    Parameters
    ----------
    each : sequence of FloatArray
        For each method the metric of each of its seeds. A method with one seed, or whose seeds agree, has no variance
        and teaches nothing about that of others.
    draws : int
        How many draws D.
    rng : numpy.random.Generator
        Of the drawing.
    """
    counts = np.array([len(values) for values in each])
    measured = np.array([values.var(ddof=1) if len(values) > 1 else 0.0 for values in each])
    found = SeedVariance(np.zeros(len(each)), np.zeros((draws, len(each))))
    varies = measured > NOTHING
    if varies.any():
        squares, freedom, seeds = measured[varies], counts[varies] - 1.0, counts[varies]
        d0, scale = _laws(squares, freedom, draws, rng)
        sums, freedoms = d0 * scale + freedom * squares, d0 + freedom
        found.expected[varies] = 1 / np.mean(freedoms / sums, axis=0) / seeds
        found.draws[:, varies] = sums / rng.chisquare(freedoms) / seeds
    return found


def _laws(
    squares: FloatArray, freedom: FloatArray, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draws of d0 and s0^2, each (D, 1), as often as they explain the measured variances."""
    first, last = math.log(float(squares.min())) - 1, math.log(float(squares.max())) + 8
    levels: FloatArray = np.exp(np.linspace(first, last, _SCALES))
    freedoms: FloatArray = np.repeat(_FREEDOMS, _SCALES).reshape(-1, _SCALES)
    scales: FloatArray = np.tile(levels, len(_FREEDOMS)).reshape(-1, _SCALES)
    d0, scale = freedoms[..., None], scales[..., None]
    # The density of F(freedom, d0) at squares / scale, without what depends on neither.
    log_density: FloatArray = (
        gammaln((d0 + freedom) / 2)
        - gammaln(d0 / 2)
        - freedom / 2 * np.log(d0 * scale)
        - (d0 + freedom) / 2 * np.log1p(freedom * squares / (d0 * scale))
    ).sum(axis=2)
    weights = np.exp(log_density - log_density.max())
    chosen = rng.choice(weights.size, size=draws, p=(weights / weights.sum()).ravel())
    return freedoms.ravel()[chosen][:, None], scales.ravel()[chosen][:, None]
