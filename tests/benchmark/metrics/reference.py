"""The definitions, transcribed literally: loops over images, exact fractions, no care for speed. Oracles for the tests.

Also the strategies that draw small outcomes full of ties.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from osbench.benchmark.metrics import Outcome

INFINITY = float("inf")


def images(o: Outcome) -> list[tuple[int, int, int, float]]:
    """(truth, unseen group, candidate, score) of each image."""
    return list(
        zip(o.truth.tolist(), o.unseen_group.tolist(), o.candidate.tolist(), o.known_score.tolist(), strict=True)
    )


def f1_per_class(o: Outcome, threshold: float, *, unseen: bool = True) -> list[Fraction]:
    """Eq. 9, class by class."""
    values = []
    for j in range(o.n_classes):
        tp = fp = fn = 0
        for truth, _, candidate, score in images(o):
            if truth < 0 and not unseen:
                continue
            predicted = candidate if score >= threshold else None
            tp += truth == j and predicted == j
            fp += truth != j and predicted == j
            fn += truth == j and predicted != j
        values.append(Fraction(2 * tp, 2 * tp + fp + fn))
    return values


def af1(o: Outcome, threshold: float, *, unseen: bool = True) -> Fraction:
    return Fraction(sum(f1_per_class(o, threshold, unseen=unseen)), o.n_classes)


def crr_per_generator(o: Outcome, threshold: float) -> list[Fraction]:
    """Eq. 10 for each unseen generator."""
    values = []
    for u in range(o.n_unseen):
        rejected = [not score >= threshold for _, group, _, score in images(o) if group == u]
        values.append(Fraction(sum(rejected), len(rejected)))
    return values


def crr(o: Outcome, threshold: float) -> Fraction:
    return Fraction(sum(crr_per_generator(o, threshold)), o.n_unseen)


def crr_pooled(o: Outcome, threshold: float) -> Fraction:
    rejected = [not score >= threshold for _, group, _, score in images(o) if group >= 0]
    return Fraction(sum(rejected), len(rejected))


def thresholds(o: Outcome) -> list[float]:
    """Every distinct score, ascending; they include the one that accepts all."""
    return sorted(set(o.known_score.tolist()))


def auc_af1_crr(o: Outcome, *, pooled: bool = False) -> Fraction:
    rate = crr_pooled if pooled else crr
    points = [(rate(o, t), af1(o, t)) for t in [*thresholds(o), INFINITY]]
    area = Fraction(0)
    for (x, y), (next_x, next_y) in itertools.pairwise(points):
        area += (next_x - x) * (y + next_y) / 2
    return area


def pairs(o: Outcome, *, hits_only: bool, group: int | None = None) -> Fraction:
    """Share of the (seen, unseen) pairs in which the seen image scores higher, ties half (AUROC, OpenAUC)."""
    won, count = Fraction(0), 0
    for truth, _, candidate, score in images(o):
        for _, other_group, _, other in images(o):
            if truth < 0 or other_group < 0 or (group is not None and other_group != group):
                continue
            count += 1
            if hits_only and candidate != truth:
                continue
            won += Fraction(1) if score > other else Fraction(1, 2) if score == other else Fraction(0)
    return won / count


def accuracy(o: Outcome) -> Fraction:
    hits = [candidate == truth for truth, _, candidate, _ in images(o) if truth >= 0]
    return Fraction(sum(hits), len(hits))


def accepted_share(o: Outcome, threshold: float, *, seen: bool) -> Fraction:
    accepted = [score >= threshold for truth, _, _, score in images(o) if (truth >= 0) == seen]
    return Fraction(sum(accepted), len(accepted))


def fpr95_id(o: Outcome) -> Fraction:
    enough = [t for t in thresholds(o) if accepted_share(o, t, seen=True) >= Fraction(95, 100)]
    return accepted_share(o, max(enough), seen=False)


def fpr95_ood(o: Outcome) -> Fraction:
    steps = [*thresholds(o), INFINITY]
    enough = [t for t in steps if 1 - accepted_share(o, t, seen=False) >= Fraction(95, 100)]
    return 1 - accepted_share(o, min(enough), seen=True)


def ccr_at_fpr(o: Outcome, fpr: str) -> Fraction | None:
    best = None
    for t in thresholds(o):
        if accepted_share(o, t, seen=False) <= Fraction(fpr):
            right = [candidate == truth and score >= t for truth, _, candidate, score in images(o) if truth >= 0]
            ccr = Fraction(sum(right), len(right))
            best = ccr if best is None else max(best, ccr)
    return best


def all_metrics(o: Outcome, threshold: float) -> dict[str, Fraction | None]:
    return {
        "auc_af1_crr": auc_af1_crr(o),
        "auc_af1_crr_pooled": auc_af1_crr(o, pooled=True),
        "af1": af1(o, threshold),
        "af1_known": af1(o, threshold, unseen=False),
        "crr": crr(o, threshold),
        "crr_pooled": crr_pooled(o, threshold),
        "crr_worst": min(crr_per_generator(o, threshold)),
        "auroc": pairs(o, hits_only=False),
        "auroc_macro": Fraction(sum(pairs(o, hits_only=False, group=u) for u in range(o.n_unseen)), o.n_unseen),
        "fpr95_id": fpr95_id(o),
        "fpr95_ood": fpr95_ood(o),
        "oscr": pairs(o, hits_only=True),
        "ccr_at_fpr_0.01": ccr_at_fpr(o, "0.01"),
        "ccr_at_fpr_0.1": ccr_at_fpr(o, "0.1"),
        "accuracy": accuracy(o),
        "macro_f1": af1(o, -INFINITY, unseen=False),
    }


TIED_SCORES = st.integers(-2, 2).map(float)
ANY_SCORES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def outcomes(draw: st.DrawFn, *, max_images: int = 8, n_unseen: int | None = None) -> Outcome:
    """Small outcomes, images in random order: scores from five values (many ties) or any finite floats."""
    n_classes = draw(st.integers(1, 4))
    n_unseen = draw(st.integers(1, 3)) if n_unseen is None else n_unseen
    cells = [(k, -1) for k in range(n_classes)] + [(-1, u) for u in range(n_unseen)]
    rows = [cell for cell in cells for _ in range(draw(st.integers(1, max_images)))]
    rows = draw(st.permutations(rows))
    scores = draw(st.sampled_from([TIED_SCORES, ANY_SCORES]))
    return Outcome(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array(draw(st.lists(st.integers(0, n_classes - 1), min_size=len(rows), max_size=len(rows)))),
        np.array(draw(st.lists(scores, min_size=len(rows), max_size=len(rows)))),
        n_classes,
        n_unseen,
    )


def simulated(
    sizes: tuple[int, ...] = (60, 50, 40),
    unseen_sizes: tuple[int, ...] = (40, 20),
    *,
    seed: int = 0,
    shift: float = 1.5,
    decimals: int | None = None,
) -> Outcome:
    """A mediocre method: right for most of the seen images, whose scores lie `shift` above those of the unseen."""
    rng = np.random.default_rng(seed)
    n_seen, n_unseen = sum(sizes), sum(unseen_sizes)
    truth = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.full(n_unseen, -1)])
    group = np.concatenate([np.full(n_seen, -1), np.repeat(np.arange(len(unseen_sizes)), unseen_sizes)])
    guess = rng.integers(0, len(sizes), len(truth))
    candidate = np.where((truth >= 0) & (rng.random(len(truth)) < 0.8), truth, guess)
    score = rng.normal(size=len(truth)) + shift * (truth >= 0)
    if decimals is not None:
        score = score.round(decimals)
    return Outcome(truth, group, candidate, score, len(sizes), len(unseen_sizes))
