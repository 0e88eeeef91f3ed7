"""Which of many methods are surely apart: all pairs of a board at once, at one joint level.

Intervals of single methods say little about a difference: two methods meet the same images, and what makes an image
hard for one makes it hard for the other. So differences are resampled (paired), and because a board has many pairs,
the largest of all standardised deviations sets the limit for each of them: with probability ``level`` not one pair is
called apart in the wrong order. (Mogstad, Romano, Shaikh and Wilhelm, "Inference for Ranks", Review of Economic
Studies 91, 2024, section 3; single step, two-sided.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .intervals import check_level

BoolArray = NDArray[np.bool_]


def surely_above(estimates: ArrayLike, values: ArrayLike, *, level: float = 0.95) -> BoolArray:
    """Bool (n, n): whether method i surely lies above method j, higher being better.

    Parameters
    ----------
    estimates: float (n,), the metric of each method on the data as they are; a NaN is neither above nor below anything.
    values: float (n, R), its bootstrap replicates; replicate r of all methods rests on the same resample of the images.
        Replicates in which the metric of some method is undefined are left out.
    level: joint coverage over all pairs.

    A difference that never changes (two methods without any spread) counts as it is.

    Raises
    ------
    ValueError: wrong level, or shapes that do not fit.
    """
    check_level(level)
    centre, drawn = np.asarray(estimates, np.float64), np.asarray(values, np.float64)
    if centre.ndim != 1 or drawn.ndim != 2 or len(centre) != len(drawn):
        raise ValueError(f"(n,) estimates and (n, R) replicates are needed, not {centre.shape} and {drawn.shape}.")
    above = np.zeros((len(centre), len(centre)), dtype=bool)
    rows = np.flatnonzero(np.isfinite(centre))
    known = drawn[rows][:, np.isfinite(drawn[rows]).all(axis=0)]
    if not known.shape[1]:
        return above
    difference, spread, limit = _pairs(centre[rows], known, level)
    above[np.ix_(rows, rows)] = (difference > 0) & (difference > limit * spread)
    return above


def _pairs(
    centre: NDArray[np.float64], drawn: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """All differences (n, n), their bootstrap standard deviations (n, n), and the joint limit of their ratio."""
    n, replicates = drawn.shape
    spread = np.zeros((n, n))
    largest = np.zeros(replicates)
    for i in range(n):  # one method against all later ones: the memory of a board, not of its square
        gaps = drawn[i] - drawn[i + 1 :]
        spread[i, i + 1 :] = spread[i + 1 :, i] = gaps.std(axis=1)
        moving = spread[i, i + 1 :] > 1e-12
        deviation = np.abs(gaps - (centre[i] - centre[i + 1 :])[:, None])[moving] / spread[i, i + 1 :][moving, None]
        largest = np.maximum(largest, deviation.max(axis=0, initial=0.0))
    return centre[:, None] - centre[None, :], spread, float(np.quantile(largest, level))
