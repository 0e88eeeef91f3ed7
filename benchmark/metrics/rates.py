"""Rates at one threshold: F1 of the seen generators, rejection of the unseen, and the closed-set rates.

Equations are those of Fang, Nguyen, Stamm, "Open Set Synthetic Image Source Attribution" (2023).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .outcome import FloatArray, Outcome
from .tally import Tally, mean_over_groups, ratio


def f1_per_class(outcome: Outcome, threshold: float) -> FloatArray:
    """F1 of each seen generator at the threshold, float64 (n_classes,) in 0..1 (eq. 9).

    F1_j = 2 TP_j / (2 TP_j + FP_j + FN_j). FP_j counts the images of *other seen and of unseen* generators that are
    accepted as j; FN_j counts the images of j that are rejected or accepted as another. A generator of which nothing is
    accepted has F1 0; so has, by definition, 0/0.
    """
    return tally_f1_per_class(Tally(outcome, threshold))[0]


def af1(outcome: Outcome, threshold: float) -> float:
    """Mean of `f1_per_class` over the seen generators (eq. 9), in 0..1."""
    return float(tally_af1(Tally(outcome, threshold))[0])


def af1_known(outcome: Outcome, threshold: float) -> float:
    """`af1` over the seen images alone: unseen images are no false positives, so their number does not matter."""
    return float(tally_af1_known(Tally(outcome, threshold))[0])


def crr_per_generator(outcome: Outcome, threshold: float) -> FloatArray:
    """Rejected share of the images of each unseen generator, float64 (n_unseen,) in 0..1 (eq. 10 for each alone)."""
    return tally_crr_per_generator(Tally(outcome, threshold))[0]


def crr(outcome: Outcome, threshold: float) -> float:
    """Macro mean of `crr_per_generator`: the headline, and what Table 3 of the paper prints (0.645).

    Examples
    --------
    Two seen generators with two images each; of two unseen generators, one and two images.

    >>> outcome = Outcome(
    ...     truth=[0, 0, 1, 1, -1, -1, -1], unseen_group=[-1, -1, -1, -1, 0, 1, 1], candidate=[0, 0, 1, 0, 0, 1, 1],
    ...     known_score=[0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.8], n_classes=2, n_unseen=2,
    ... )
    >>> crr_per_generator(outcome, threshold=0.5).tolist()
    [1.0, 0.5]
    >>> crr(outcome, threshold=0.5)
    0.75
    >>> round(af1(outcome, threshold=0.5), 3)
    0.65
    """
    return float(tally_crr(Tally(outcome, threshold))[0])


def crr_pooled(outcome: Outcome, threshold: float) -> float:
    """Share of all unseen images that is rejected (eq. 10 to the letter): large unseen generators weigh more."""
    return float(tally_crr_pooled(Tally(outcome, threshold))[0])


def crr_worst(outcome: Outcome, threshold: float) -> float:
    """The smallest of `crr_per_generator`."""
    return float(tally_crr_worst(Tally(outcome, threshold))[0])


def closed_set_accuracy(outcome: Outcome) -> float:
    """Share of the seen images whose candidate is right, nothing being rejected."""
    return float(tally_accuracy(Tally(outcome))[0])


def macro_f1(outcome: Outcome) -> float:
    """Mean F1 over the seen generators, over seen images alone, nothing being rejected."""
    return float(tally_macro_f1(Tally(outcome))[0])


# The same for R weightings of the images: a Tally in, an array of R rows out.


def f1_at(tally: Tally, cuts: ArrayLike) -> FloatArray:
    """F1 of each seen generator at each cut, (R, n_classes, cuts): 2 TP + FP + FN = predicted + present."""
    present = tally.total("class")[..., None]
    return ratio(2 * tally.accepted("hit", cuts), tally.accepted("predicted", cuts) + present)


def f1_known_at(tally: Tally, cuts: ArrayLike) -> FloatArray:
    """As `f1_at` over the seen images alone."""
    predicted = tally.accepted("predicted", cuts) - tally.accepted("predicted_unseen", cuts)
    return ratio(2 * tally.accepted("hit", cuts), predicted + tally.total("class")[..., None])


def crr_at(tally: Tally, cuts: ArrayLike) -> FloatArray:
    """Rejected share of each unseen generator at each cut, (R, n_unseen, cuts)."""
    present = tally.total("unseen")[..., None]
    return ratio(present - tally.accepted("unseen", cuts), present)


def crr_pooled_at(tally: Tally, cuts: ArrayLike) -> FloatArray:
    """Rejected share of all unseen images at each cut, (R, cuts)."""
    present = tally.total("unseen").sum(axis=1)[:, None]
    return ratio(present - tally.accepted("unseen", cuts).sum(axis=1), present)


def tally_f1_per_class(tally: Tally) -> FloatArray:
    return f1_at(tally, [tally.cut])[..., 0]


def tally_af1(tally: Tally) -> FloatArray:
    return mean_over_groups(tally_f1_per_class(tally))


def tally_af1_known(tally: Tally) -> FloatArray:
    return mean_over_groups(f1_known_at(tally, [tally.cut])[..., 0])


def tally_crr_per_generator(tally: Tally) -> FloatArray:
    return crr_at(tally, [tally.cut])[..., 0]


def tally_crr(tally: Tally) -> FloatArray:
    return mean_over_groups(tally_crr_per_generator(tally))


def tally_crr_pooled(tally: Tally) -> FloatArray:
    return crr_pooled_at(tally, [tally.cut])[..., 0]


def tally_crr_worst(tally: Tally) -> FloatArray:
    return np.min(tally_crr_per_generator(tally), axis=1)


def tally_accuracy(tally: Tally) -> FloatArray:
    return ratio(tally.total("hit").sum(axis=1), tally.total("class").sum(axis=1))


def tally_macro_f1(tally: Tally) -> FloatArray:
    return mean_over_groups(f1_known_at(tally, [0])[..., 0])
