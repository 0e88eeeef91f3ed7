"""OSCR over 90,000 scores: integer pair counts against the loop that is commonly copied between repositories.

That loop sums a slice of the sorted arrays for every score, and is off by half a step: it counts the hits *above* the
current image but the unseen images *from* it on. Without ties the area it returns is therefore below OpenAUC by exactly
(number of unseen images directly followed by a hit, in score order) / (2 N_seen N_unseen), here about 3e-6. Equality
means: the two areas differ by that amount, to 1e-12. (With ties it depends on the order of the rows; see the tests.)
"""

from __future__ import annotations

import itertools
import time

import numpy as np
from numpy.typing import NDArray

from osbench.benchmark.metrics import Outcome, oscr

N_SEEN, N_UNSEEN, CLASSES, UNSEEN = 65_000, 25_000, 5, 2


def copied_oscr(seen: NDArray, unseen: NDArray, hit: NDArray) -> float:
    """A port of the algorithm in circulation: a CCR and an FPR by slice sums at each sorted score, then trapezoids.

    seen (N_seen,) and unseen (N_unseen,) scores, hit (N_seen,) bool: the candidate is right.
    """
    order = np.argsort(np.concatenate([seen, unseen]))
    is_hit = np.concatenate([hit, np.zeros(len(unseen))])[order]
    is_unseen = np.concatenate([np.zeros(len(seen)), np.ones(len(unseen))])[order]
    points = [(1.0, 1.0), (0.0, 0.0)]
    for k in range(len(order) - 1):
        points.append((is_unseen[k:].sum() / len(unseen), is_hit[k + 1 :].sum() / len(seen)))
    points.sort(reverse=True)
    area = 0.0
    for (fpr, ccr), (next_fpr, next_ccr) in itertools.pairwise(points):
        area += (fpr - next_fpr) * (ccr + next_ccr) / 2
    return float(area)


def half_steps(seen: NDArray, unseen: NDArray, hit: NDArray) -> float:
    """By how much `copied_oscr` is too small where no two scores are equal."""
    order = np.argsort(np.concatenate([seen, unseen]))
    is_hit = np.concatenate([hit, np.zeros(len(unseen), bool)])[order]
    is_unseen = np.arange(len(order))[order] >= len(seen)
    return float(np.sum(is_unseen[:-1] & is_hit[1:]) / (2 * len(seen) * len(unseen)))


def run() -> dict[str, float | bool]:
    """Time both on the same scores; ours starts from the raw arrays, its checks of them included."""
    rng = np.random.default_rng(0)
    truth = np.concatenate([rng.integers(0, CLASSES, N_SEEN), np.full(N_UNSEEN, -1)])
    unseen_group = np.concatenate([np.full(N_SEEN, -1), rng.integers(0, UNSEEN, N_UNSEEN)])
    candidate = np.where(rng.random(len(truth)) < 0.8, truth, rng.integers(0, CLASSES, len(truth)))
    candidate[N_SEEN:] = rng.integers(0, CLASSES, N_UNSEEN)
    score = rng.normal(size=len(truth)) + 1.5 * (truth >= 0)
    assert len(np.unique(score)) == len(score), "this comparison needs scores without ties"
    hit = (candidate == truth)[:N_SEEN]

    def ours() -> float:
        return oscr(Outcome(truth, unseen_group, candidate, score, CLASSES, UNSEEN))

    value, ours_s = ours(), []
    for _ in range(5):
        start = time.perf_counter()
        ours()
        ours_s.append(time.perf_counter() - start)
    start = time.perf_counter()
    reference = copied_oscr(score[:N_SEEN], score[N_SEEN:], hit)
    reference_s = time.perf_counter() - start
    for _ in range(5):
        start = time.perf_counter()
        ours()
        ours_s.append(time.perf_counter() - start)
    equal = abs(value - reference - half_steps(score[:N_SEEN], score[N_SEEN:], hit)) < 1e-12
    return {"ratio": reference_s / min(ours_s), "ours_s": min(ours_s), "reference_s": reference_s, "equal": equal}
