"""Curves over every threshold and their areas: aF1 against CRR, OSCR, AUROC, FPR at 95 %, CCR at a given FPR.

All are exact: every distinct score is a threshold, and images of equal score are accepted or rejected together, in one
step. Nothing depends on the order in which tied images happen to be listed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .outcome import FloatArray, IntArray, Outcome
from .rates import crr_at, f1_at
from .tally import Tally, at_least, at_most, mean_over_groups, ratio


def af1_crr_curve(outcome: Outcome) -> tuple[FloatArray, FloatArray, FloatArray]:
    """aF1 and macro CRR at every threshold.

    Returns
    -------
    thresholds : numpy.ndarray
        float64 (m + 1,), the m distinct scores ascending, then +inf (reject all; not valid in JSON).
    crr_macro : numpy.ndarray
        float64 (m + 1,), non-decreasing from 0 (all accepted) to 1.
    af1 : numpy.ndarray
        float64 (m + 1,), from the aF1 of accepting all to 0. It need not decrease: rejecting unseen images raises it.
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
    thresholds : numpy.ndarray
        float64 (m + 1,), +inf, then the m distinct scores descending.
    fpr : numpy.ndarray
        float64 (m + 1,), share of all unseen images that is accepted, from 0 to 1.
    ccr : numpy.ndarray
        float64 (m + 1,), share of the seen images that is accepted *and* right, from 0 to the closed-set accuracy.
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
    ValueError
        `fpr` is not in 0..1.
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
    left, total = tally.kept("unseen left", _unseen_left), tally.total("unseen")[..., None]
    return _area(tally, 1.0 - mean_over_groups(left / np.maximum(total, 1)))


def tally_auc_af1_crr_pooled(tally: Tally) -> FloatArray:
    left, total = tally.kept("unseen left", _unseen_left), tally.total("unseen")
    return _area(tally, 1.0 - left.sum(axis=1) / np.maximum(total.sum(axis=1), 1)[:, None])


def _steps(outcome: Outcome) -> IntArray:
    """Cuts between which a rejection rate steps: one at each distinct score of unseen images, and the last."""

    def make(outcome: Outcome) -> IntArray:
        return np.append(np.unique(Tally(outcome).counter("any_unseen").rank), len(outcome.ranking[0]))

    return outcome.kept("steps", make)


def _unseen_left(tally: Tally) -> IntArray:
    """Accepted images of each unseen generator at each cut of `_steps`, (R, n_unseen, steps)."""
    return tally.accepted("unseen", _steps(tally.outcome))


def _area(tally: Tally, rates: FloatArray) -> FloatArray:
    """The area under aF1 over a rejection rate, by the trapezoid rule.

    The F1 of a class changes only at the scores of the images that were given to it. So the area is a sum over these
    images, class by class: by how much F1 falls at their score, times the rejection rate there, where a rate counts as
    reached in the middle of its step.

    Parameters
    ----------
    tally : Tally
        R weightings of the images.
    rates : FloatArray
        Shape (R, steps), the rejection rate at each cut of `_steps`.
    """
    halves = np.empty((len(rates), 2 * rates.shape[1] - 1))
    halves[:, ::2] = rates
    halves[:, 1::2] = (rates[:, :-1] + rates[:, 1:]) / 2
    reached = np.take(halves, tally.outcome.kept("halfway", _halfway_places), axis=1)
    falls = tally.kept("falls of f1", _falls_of_f1)
    return np.einsum("ri,ri->r", falls, reached) / tally.outcome.n_classes


def _score_groups(outcome: Outcome) -> list[IntArray]:
    """For each class the first of every several images that were given to it with one score, in "predicted"."""

    def make(outcome: Outcome) -> list[IntArray]:
        counter = Tally(outcome).counter("predicted")
        begins = np.append(True, counter.rank[1:] != counter.rank[:-1])
        begins[counter.bounds()[:-1].clip(max=len(begins) - 1)] = True
        firsts = np.flatnonzero(begins)
        return np.split(firsts, np.searchsorted(firsts, counter.bounds()[1:-1]))

    return outcome.kept("score groups", make)


def _halfway_places(outcome: Outcome) -> IntArray:
    """For each of `_score_groups`, where its score lies among the cuts and their middles."""
    steps = _steps(outcome)
    rank = Tally(outcome).counter("predicted").rank[np.concatenate(_score_groups(outcome))]
    place = np.searchsorted(steps, rank)
    return 2 * place + (steps[place] == rank)


def _falls_of_f1(tally: Tally) -> FloatArray:
    """By how much the F1 of a class falls behind each of `_score_groups`, (R, groups).

    F1 of class j at a score is 2 hits / (given + present), where hits and given have that score or a higher one.
    """
    counter = tally.counter("predicted")
    before = tally.outcome.kept("hits before", lambda o: np.append(0, np.cumsum(_right(o)[counter.images])))
    given, right, present = tally.prefix("predicted"), tally.prefix("hit"), tally.total("class")
    groups, ends = _score_groups(tally.outcome), counter.bounds()[1:].tolist()
    falls = np.empty((len(given), sum(map(len, groups))))
    first = 0
    for k, (begin, end) in enumerate(zip(groups, ends, strict=True)):
        if not len(begin):
            continue
        whole = len(begin) == end - begin[0]  # no score twice: a slice is faster
        accepted = given[:, end : end + 1] - (given[:, begin[0] : end] if whole else np.take(given, begin, axis=1))
        accepted += np.maximum(present[:, k : k + 1], 1).astype(accepted.dtype)
        hits = right[:, before[end], None] - np.take(right, before[begin], axis=1)
        f1 = falls[:, first : first + len(begin)]
        np.divide(hits, accepted, out=f1)
        f1[:, :-1] -= f1[:, 1:]  # the F1 behind the last image is 0
        first += len(begin)
    return np.multiply(falls, 2, out=falls)


def _right(outcome: Outcome) -> NDArray[np.bool_]:
    return outcome.truth == outcome.candidate


def _half_pairs(tally: Tally, seen: str) -> FloatArray:
    """(R, n_unseen): pairs in which the seen image scores higher, twice, plus the tied pairs; whole numbers."""
    counter, sums = tally.counter("unseen"), tally.prefix(seen)
    begin, end = (tally.counter(seen).begin(counter.rank + step)[0] for step in (0, 1))
    above = 2 * sums[:, -1:] - np.take(sums, begin, axis=1) - np.take(sums, end, axis=1)
    pairs = np.multiply(above, tally.weights_of("unseen"), dtype=np.int64)
    return np.add.reduceat(pairs, counter.bounds()[:-1], axis=1).astype(np.float64)


def tally_oscr(tally: Tally) -> FloatArray:
    return ratio(_half_pairs(tally, "any_hit").sum(axis=1), 2 * _pairs(tally).sum(axis=1))


def tally_auroc(tally: Tally) -> FloatArray:
    return ratio(_seen_pairs(tally).sum(axis=1), 2 * _pairs(tally).sum(axis=1))


def tally_auroc_per_generator(tally: Tally) -> FloatArray:
    return ratio(_seen_pairs(tally), 2 * _pairs(tally))


def tally_auroc_macro(tally: Tally) -> FloatArray:
    return mean_over_groups(tally_auroc_per_generator(tally))


def _pairs(tally: Tally) -> FloatArray:
    return tally.total("class").sum(axis=1)[:, None].astype(np.float64) * tally.total("unseen")


def _seen_pairs(tally: Tally) -> FloatArray:
    return tally.kept("seen pairs", lambda t: _half_pairs(t, "any_seen"))


def tally_ccr_at_fpr(tally: Tally, fpr: float) -> FloatArray:
    unseen, seen = tally.total("unseen").sum(axis=1), tally.total("class").sum(axis=1)
    cut = _cut_rejecting(tally, unseen - at_most(fpr, unseen))
    hits = tally.accepted_at("any_hit", cut)
    # A cut above the last image of a resample accepts nothing; it is no operating point there.
    accepts = tally.accepted_at("any_unseen", cut) + tally.accepted_at("any_seen", cut) > 0
    return np.where(accepts, hits / np.maximum(seen, 1), np.nan)


def tally_fpr95_id(tally: Tally) -> FloatArray:
    sums, rank = tally.prefix("any_seen"), tally.counter("any_seen").rank
    below = sums[:, -1] - at_least(0.95, sums[:, -1])
    last = [int(row[:-1].searchsorted(most, side="right")) - 1 for row, most in zip(sums, below, strict=True)]
    return ratio(tally.accepted_at("any_unseen", rank[last]), tally.total("unseen").sum(axis=1))


def tally_fpr95_ood(tally: Tally) -> FloatArray:
    seen, unseen = tally.total("class").sum(axis=1), tally.total("unseen").sum(axis=1)
    cut = _cut_rejecting(tally, at_least(0.95, unseen))
    return ratio(seen - tally.accepted_at("any_seen", cut), seen)


def _cut_rejecting(tally: Tally, least: IntArray) -> IntArray:
    """(R,): the smallest cut that rejects at least so many unseen images."""
    sums, after = tally.prefix("any_unseen"), np.append(0, tally.counter("any_unseen").rank + 1)
    return after[[int(row.searchsorted(count)) for row, count in zip(sums, least, strict=True)]]
