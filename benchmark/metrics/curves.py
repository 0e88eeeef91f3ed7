"""Curves over every threshold and their areas: aF1 against CRR, OSCR, AUROC, FPR at 95 %, CCR at a given FPR.

All are exact: every distinct score is a threshold, and images of equal score are accepted or rejected together, in one
step. Nothing depends on the order in which tied images happen to be listed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from .outcome import FloatArray, IntArray, Outcome
from .rates import crr_at, f1_at
from .tally import CountArray, Tally, at_least, at_most, mean_over_groups, ratio


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
    return mean_over_groups(ratio(tally.kept("areas", _areas), tally.total("unseen")))


def tally_auc_af1_crr_pooled(tally: Tally) -> FloatArray:
    return ratio(tally.kept("areas", _areas).sum(axis=1), tally.total("unseen").sum(axis=1))


def _areas(tally: Tally) -> FloatArray:
    """The area under aF1 over the rejected images of each unseen generator, by the trapezoid rule, (R, n_unseen).

    The F1 of a class changes only at the scores of the images that were given to it. So an area is a sum over these
    images, class by class: by how much F1 falls at their score, times the unseen images rejected there, where those of
    this very score count half. Images between which nothing unseen lies are one fall.
    """
    given, right, unseen = tally.prefix("predicted"), tally.prefix("hit"), tally.prefix("unseen")
    present = np.maximum(tally.total("class"), 1).T.astype(given.dtype)
    before = unseen[tally.counter("unseen").bounds()[:-1]]  # the images of the generators before this one
    areas = np.zeros(before.shape)
    for k, falls in enumerate(tally.outcome.kept("falls", _falls)):
        accepted = given[falls.given[-1]] + present[k] - np.take(given, falls.given[:-1], axis=0)
        hits = right[falls.right[-1]] - np.take(right, falls.right[:-1], axis=0)
        f1 = np.zeros((len(hits) + 1, hits.shape[1]))  # behind the last image it is 0
        np.divide(hits, accepted, out=f1[:-1])
        f1 *= 2
        fall = f1[:-1] - f1[1:]
        for area, begin, end, others in zip(areas, falls.begin, falls.end, before, strict=True):
            twice = np.take(unseen, begin, axis=0) + np.take(unseen, end, axis=0)
            area += np.einsum("ir,ir->r", fall, twice) / 2 - f1[0] * others
    return areas.T / tally.outcome.n_classes


@dataclass(frozen=True)
class _Falls:
    """Where the F1 of one class falls as the threshold rises, f times.

    Attributes
    ----------
    given, right : IntArray
        (f + 1,), how many images come before each fall, and before the next class, in "predicted" and in "hit".
    begin, end : IntArray
        (n_unseen, f), how many come before the score of each fall, and up to it, in "unseen".
    """

    given: IntArray
    right: IntArray
    begin: IntArray
    end: IntArray


def _falls(outcome: Outcome) -> list[_Falls]:
    """The falls of each class."""
    plain = Tally(outcome)
    given, unseen, every = (plain.counter(name) for name in ("predicted", "unseen", "any_unseen"))
    right = np.append(0, np.cumsum((outcome.truth == outcome.candidate)[given.images]))
    place = every.begin(given.rank)[0] + every.begin(given.rank + 1)[0]
    found: list[_Falls] = []
    for begin, end in itertools.pairwise(given.bounds().tolist()):
        first = begin + np.flatnonzero(np.diff(place[begin:end], prepend=-1))
        bounds, rank = np.append(first, end), given.rank[first]
        found.append(_Falls(bounds, right[bounds], unseen.begin(rank), unseen.begin(rank + 1)))
    return found


def _half_pairs(tally: Tally, seen: str) -> FloatArray:
    """(R, n_unseen): pairs in which the seen image scores higher, twice, plus the tied pairs; whole numbers."""
    counter, sums = tally.counter("unseen"), tally.prefix(seen)
    begin, end = (tally.counter(seen).begin(counter.rank + step)[0] for step in (0, 1))
    above = 2 * sums[-1] - np.take(sums, begin, axis=0) - np.take(sums, end, axis=0)
    weights = tally.weights_of("unseen")
    parts = [slice(*ends) for ends in itertools.pairwise(counter.bounds())]
    return np.stack([np.einsum("ir,ir->r", above[p], weights[p], dtype=np.float64) for p in parts], axis=1)


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
    rejected = sums[-1] - at_least(0.95, sums[-1])
    last = np.minimum(_first_reaching(sums, rejected + 1), len(rank)) - 1
    return ratio(tally.accepted_at("any_unseen", rank[last]), tally.total("unseen").sum(axis=1))


def tally_fpr95_ood(tally: Tally) -> FloatArray:
    seen, unseen = tally.total("class").sum(axis=1), tally.total("unseen").sum(axis=1)
    cut = _cut_rejecting(tally, at_least(0.95, unseen))
    return ratio(seen - tally.accepted_at("any_seen", cut), seen)


def _cut_rejecting(tally: Tally, least: IntArray) -> IntArray:
    """(R,): the smallest cut that rejects at least so many unseen images."""
    after = np.append(0, tally.counter("any_unseen").rank + 1)
    return after[_first_reaching(tally.prefix("any_unseen"), least)]


def _first_reaching(sums: CountArray, least: IntArray) -> IntArray:
    """(R,): in each column of `sums`, which never falls, the first row with at least so much, by bisection."""
    below = np.zeros(len(least), np.int64)  # so many rows are known to have less
    columns = np.arange(len(least))
    for bit in reversed(range(len(sums).bit_length())):
        more = below + (1 << bit)
        less = (more <= len(sums)) & (sums[np.minimum(more, len(sums)) - 1, columns] < least)
        below[less] = more[less]
    return below
