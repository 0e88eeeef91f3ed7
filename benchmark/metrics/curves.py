"""Curves over every threshold and their areas: aF1 against CRR, OSCR, AUROC, FPR at 95 %, CCR at a given FPR.

All are exact: every distinct score is a threshold, and images of equal score are accepted or rejected together, in one
step. Nothing depends on the order in which tied images happen to be listed.
"""

from __future__ import annotations

import numpy as np

from .outcome import FloatArray, Outcome
from .rates import crr_at, crr_pooled_at, f1_at
from .tally import Tally, at_least, at_most, mean_over_groups, ratio, sum_in_order


def af1_crr_curve(outcome: Outcome) -> tuple[FloatArray, FloatArray, FloatArray]:
    """aF1 and macro CRR at every threshold.

    Returns
    -------
    thresholds: float64 (m + 1,), the m distinct scores ascending, then +inf (reject all; not valid in JSON).
    crr_macro: float64 (m + 1,), non-decreasing from 0 (all accepted) to 1.
    af1: float64 (m + 1,), from the aF1 of accepting all to 0. It need not decrease: rejecting unseen images raises it.
    """
    tally = Tally(outcome)
    cuts = np.arange(tally.levels + 1)
    crr_macro = mean_over_groups(crr_at(tally, cuts))[0]
    return np.append(outcome.ranking[0], np.inf), crr_macro, mean_over_groups(f1_at(tally, cuts))[0]


def auc_af1_crr(outcome: Outcome) -> float:
    """Area under `af1_crr_curve` by the trapezoid rule, x = macro CRR, in 0..1: the primary ranking metric.

    Even a perfect method stays below 1, since while unseen images are accepted they are false positives of some class.
    Where all scores are equal (a method that never rejects) the curve is the two points (0, aF1) and (1, 0), and the
    area is aF1 / 2: what rejecting at random would give.
    """
    return float(tally_auc_af1_crr(Tally(outcome))[0])


def auc_af1_crr_pooled(outcome: Outcome) -> float:
    """As `auc_af1_crr` with x = pooled CRR. Secondary: it depends on how many images each unseen generator has."""
    return float(tally_auc_af1_crr_pooled(Tally(outcome))[0])


def oscr_curve(outcome: Outcome) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The open-set classification rate curve (Dhamija et al., NeurIPS 2018).

    Returns
    -------
    thresholds: float64 (m + 1,), +inf, then the m distinct scores descending.
    fpr: float64 (m + 1,), share of all unseen images that is accepted, from 0 to 1.
    ccr: float64 (m + 1,), share of the seen images that is accepted *and* right, from 0 to the closed-set accuracy.
    """
    tally = Tally(outcome)
    cuts = np.arange(tally.levels, -1, -1)
    fpr = ratio(tally.accepted("unseen", cuts).sum(axis=1), tally.total("unseen").sum(axis=1))[0]
    ccr = ratio(tally.accepted("any_hit", cuts)[:, 0], tally.total("any_seen"))[0]
    return np.append(np.inf, outcome.ranking[0][::-1]), fpr, ccr


def oscr(outcome: Outcome) -> float:
    """Area under `oscr_curve` = OpenAUC (Wang et al., NeurIPS 2022), in 0..min(accuracy, AUROC).

    (1 / N_seen N_unseen) * sum over pairs of [candidate right] * ([s_seen > s_unseen] + [s_seen = s_unseen] / 2). The
    numerator is an integer count of half pairs. Constant scores give accuracy / 2 (code in circulation gives 0).
    """
    return float(tally_oscr(Tally(outcome))[0])


def ccr_at_fpr(outcome: Outcome, fpr: float) -> float:
    """The largest correct classification rate among the distinct scores as thresholds whose FPR is at most `fpr`.

    NaN if unattainable: every threshold that accepts anything at all accepts a larger share of the unseen images.

    Raises
    ------
    ValueError: `fpr` is not in 0..1.
    """
    if not 0.0 <= fpr <= 1.0:
        raise ValueError(f"a false positive rate lies in 0..1, not {fpr}.")
    return float(tally_ccr_at_fpr(Tally(outcome), fpr)[0])


def auroc(outcome: Outcome) -> float:
    """P(s_seen > s_unseen) + P(=) / 2 over all pairs of a seen and an unseen image; right or wrong candidate alike."""
    return float(tally_auroc(Tally(outcome))[0])


def auroc_per_generator(outcome: Outcome) -> FloatArray:
    """`auroc` of the seen images against each unseen generator alone, float64 (n_unseen,)."""
    return tally_auroc_per_generator(Tally(outcome))[0]


def auroc_macro(outcome: Outcome) -> float:
    """Mean of `auroc_per_generator`."""
    return float(tally_auroc_macro(Tally(outcome))[0])


def fpr95_id(outcome: Outcome) -> float:
    """Share of all unseen images accepted at the largest threshold that accepts at least 95 % of the seen images."""
    return float(tally_fpr95_id(Tally(outcome))[0])


def fpr95_ood(outcome: Outcome) -> float:
    """Share of the seen images rejected at the smallest threshold that rejects at least 95 % of all unseen images.

    The other convention, in which unseen images are the positives (OpenOOD, pytorch-ood).
    """
    return float(tally_fpr95_ood(Tally(outcome))[0])


# The same for R weightings of the images: a Tally in, an array of R rows out.


def tally_auc_af1_crr(tally: Tally) -> FloatArray:
    before, after = tally.unseen_levels, tally.unseen_levels + 1
    step = mean_over_groups(crr_at(tally, after)) - mean_over_groups(crr_at(tally, before))
    return _area(tally, step)


def tally_auc_af1_crr_pooled(tally: Tally) -> FloatArray:
    before, after = tally.unseen_levels, tally.unseen_levels + 1
    return _area(tally, crr_pooled_at(tally, after) - crr_pooled_at(tally, before))


def _area(tally: Tally, step: FloatArray) -> FloatArray:
    """Trapezoids over the steps at the scores of unseen images; CRR is constant everywhere else."""
    before = mean_over_groups(f1_at(tally, tally.unseen_levels))
    after = mean_over_groups(f1_at(tally, tally.unseen_levels + 1))
    return sum_in_order(step * (before + after) / 2)


def _half_pairs(tally: Tally, seen: str) -> FloatArray:
    """(R, n_unseen): pairs in which the seen image scores higher, twice, plus the tied pairs; whole numbers."""
    levels = tally.unseen_levels
    above = tally.accepted(seen, levels) + tally.accepted(seen, levels + 1)
    tied = tally.accepted("unseen", levels) - tally.accepted("unseen", levels + 1)
    return (tied * above).sum(axis=-1).astype(np.float64)


def tally_oscr(tally: Tally) -> FloatArray:
    pairs = tally.total("any_seen")[:, 0] * tally.total("unseen").sum(axis=1)
    return ratio(_half_pairs(tally, "any_hit").sum(axis=1), 2 * pairs)


def tally_auroc(tally: Tally) -> FloatArray:
    pairs = tally.total("any_seen")[:, 0] * tally.total("unseen").sum(axis=1)
    return ratio(_half_pairs(tally, "any_seen").sum(axis=1), 2 * pairs)


def tally_auroc_per_generator(tally: Tally) -> FloatArray:
    return ratio(_half_pairs(tally, "any_seen"), 2 * tally.total("any_seen") * tally.total("unseen"))


def tally_auroc_macro(tally: Tally) -> FloatArray:
    return mean_over_groups(tally_auroc_per_generator(tally))


def tally_ccr_at_fpr(tally: Tally, fpr: float) -> FloatArray:
    cuts = np.arange(tally.levels)
    unseen = tally.accepted("unseen", cuts).sum(axis=1)
    allowed = unseen <= at_most(fpr, tally.total("unseen").sum(axis=1))[:, None]
    # A cut above the last image of a resample accepts nothing; it is no operating point there.
    allowed &= (unseen + tally.accepted("any_seen", cuts)[:, 0]) > 0
    most = np.where(allowed, tally.accepted("any_hit", cuts)[:, 0], -1).max(axis=1)
    return np.where(most < 0, np.nan, most / tally.total("any_seen")[:, 0])


def tally_fpr95_id(tally: Tally) -> FloatArray:
    cuts = np.arange(tally.levels + 1)
    enough = tally.accepted("any_seen", cuts)[:, 0] >= at_least(0.95, tally.total("any_seen"))
    cut = enough.sum(axis=1) - 1  # acceptance falls with the cut, so the cuts that accept enough come first
    accepted = tally.accepted("unseen", cuts).sum(axis=1)
    return ratio(np.take_along_axis(accepted, cut[:, None], axis=1)[:, 0], accepted[:, 0])


def tally_fpr95_ood(tally: Tally) -> FloatArray:
    cuts = np.arange(tally.levels + 1)
    unseen = tally.accepted("unseen", cuts).sum(axis=1)
    enough = unseen[:, :1] - unseen >= at_least(0.95, unseen[:, :1])
    cut = np.argmax(enough, axis=1)
    seen = tally.accepted("any_seen", cuts)[:, 0]
    return ratio(seen[:, 0] - np.take_along_axis(seen, cut[:, None], axis=1)[:, 0], seen[:, 0])
