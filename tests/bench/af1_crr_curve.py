"""The aF1-CRR curve over 26,000 predictions: one sort and all thresholds against a loop over 1001 thresholds.

Equality means: at each of the loop's thresholds the exact curve has the very same aF1 and macro CRR (to the last bit),
and the two areas differ by no more than the exact curve itself varies between neighbouring thresholds of the loop.
"""

from __future__ import annotations

import itertools
import time

import numpy as np
from numpy.typing import NDArray

from osbench.benchmark.metrics import Outcome, af1_crr_curve, auc_af1_crr

CLASSES, UNSEEN, GRID = 5, 2, 1001


def looped_curve(outcome: Outcome, thresholds: NDArray) -> tuple[NDArray, NDArray]:
    """The straightforward way: at every threshold, accept, then count by eq. 9 and eq. 10."""
    all_crr, all_af1 = [], []
    for threshold in thresholds:
        accepted = outcome.known_score >= threshold
        prediction = np.where(accepted, outcome.candidate, -1)
        f1 = []
        for j in range(outcome.n_classes):
            tp = np.sum((prediction == j) & (outcome.truth == j))
            fp = np.sum((prediction == j) & (outcome.truth != j))
            fn = np.sum((prediction != j) & (outcome.truth == j))
            f1.append(2 * tp / (2 * tp + fp + fn))
        all_af1.append(sum(f1) / len(f1))
        groups = range(outcome.n_unseen)
        crr = [np.sum(~accepted & (outcome.unseen_group == u)) / np.sum(outcome.unseen_group == u) for u in groups]
        all_crr.append(sum(crr) / len(crr))
    return np.array(all_crr), np.array(all_af1)


def run() -> dict[str, float | bool]:
    """Time both on the same predictions; ours starts from the raw arrays and gives the curve and its area."""
    rng = np.random.default_rng(0)
    truth = np.concatenate([np.repeat(np.arange(CLASSES), [4000, 4000, 6000, 3000, 4000]), np.full(5000, -1)])
    unseen_group = np.concatenate([np.full(21_000, -1), np.repeat(np.arange(UNSEEN), [4000, 1000])])
    candidate = np.where(rng.random(len(truth)) < 0.85, truth, rng.integers(0, CLASSES, len(truth)))
    candidate[21_000:] = rng.integers(0, CLASSES, 5000)
    score = rng.normal(size=len(truth)) + 1.5 * (truth >= 0)
    grid = np.linspace(score.min(), score.max(), GRID)

    def ours() -> tuple[Outcome, tuple[NDArray, NDArray, NDArray], float]:
        outcome = Outcome(truth, unseen_group, candidate, score, CLASSES, UNSEEN)
        return outcome, af1_crr_curve(outcome), auc_af1_crr(outcome)

    outcome, (thresholds, crr, af1), area = ours()
    ours_s, reference_s = [], []
    looped_crr, looped_af1 = np.empty(0), np.empty(0)
    for _ in range(3):
        start = time.perf_counter()
        looped_crr, looped_af1 = looped_curve(outcome, grid)
        reference_s.append(time.perf_counter() - start)
        for _ in range(5):
            start = time.perf_counter()
            ours()
            ours_s.append(time.perf_counter() - start)
    at = np.searchsorted(thresholds, grid)
    same_points = np.array_equal(crr[at], looped_crr) and np.array_equal(af1[at], looped_af1)
    looped_area = np.trapezoid(np.append(looped_af1, 0.0), np.append(looped_crr, 1.0))
    ends = np.append(at, len(thresholds) - 1)
    slack = sum((crr[j] - crr[i]) * np.ptp(af1[i : j + 1]) for i, j in itertools.pairwise(ends) if j > i)
    equal = bool(same_points and abs(looped_area - area) <= slack < 0.01)
    best, loop = min(ours_s), min(reference_s)
    return {"ratio": loop / best, "ours_s": best, "reference_s": loop, "equal": equal}
