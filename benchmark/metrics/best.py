"""How probable it is that each of several methods is the best of them.

Drawn as in :mod:`.max_t`: resamples of the images, the same for all methods, and for each method a variance over
training that its seeds leave possible (:mod:`.seed_variance`), around the estimates. The share of draws in which a
method has the largest value is its probability. It speaks of these images' generators: other generators are no part of
the draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .max_t import DRAWS
from .outcome import FloatArray
from .paired import Side
from .seed_variance import seed_variance


def probability_best(sides: Sequence[Side], seed: int = 0) -> FloatArray:
    """Share of draws in which each side has the largest value.

    Parameters
    ----------
    sides : sequence of Side
        n methods by one metric, higher being better; all met the same R resamples of the same images.
    seed : int
        Of the drawing.

    Returns
    -------
    FloatArray
        (n,), sums to 1; several largest values share. NaN if there are fewer than 2 resamples in which all are defined.

    Raises
    ------
    ValueError
        An undefined estimate, or sides with different numbers of resamples.
    """
    if len({len(side.values) for side in sides}) > 1 or not np.isfinite([side.estimate for side in sides]).all():
        raise ValueError("all sides need a defined estimate on the same resamples.")
    n = len(sides)
    if not n:
        return np.zeros(0)
    values = np.array([side.values for side in sides])
    values = values[:, np.isfinite(values).all(axis=0)]
    if values.shape[1] < 2:
        return np.full(n, np.nan)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    estimates = np.array([side.estimate for side in sides])
    centred = values - values.mean(axis=1, keepdims=True) + estimates[:, None]
    training = seed_variance([side.each for side in sides], DRAWS, rng)
    drawn = centred[:, np.arange(DRAWS) % centred.shape[1]].T + rng.standard_normal((DRAWS, n)) * np.sqrt(
        training.draws
    )
    largest = drawn >= drawn.max(axis=1, keepdims=True) - 1e-12
    return (largest / largest.sum(axis=1, keepdims=True)).mean(axis=0)
