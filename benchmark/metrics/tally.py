"""Counts of accepted images at any threshold and under any weighting: all the metrics are ratios of these.

Images are sorted once by (group, score); after that a count is a difference of two prefix sums. A bootstrap replicate
is a weighting of the same sorted images: thousands of replicates need no second sort. All counts are integers, so a
replicate gives exactly the value that the metric has on the resampled arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.errors import RunError
from .outcome import FloatArray, IntArray, Outcome

BoolArray = NDArray[np.bool_]
Grouping = Callable[[Outcome], tuple[BoolArray, IntArray, int]]


def _one(outcome: Outcome) -> IntArray:
    return np.zeros(len(outcome), np.int64)


def _hits(outcome: Outcome) -> BoolArray:
    return outcome.truth == outcome.candidate


# name -> (which images count, the group of each image, number of groups)
GROUPINGS: dict[str, Grouping] = {
    "class": lambda o: (o.truth >= 0, o.truth, o.n_classes),
    "hit": lambda o: (_hits(o), o.truth, o.n_classes),
    "predicted": lambda o: (np.ones(len(o), bool), o.candidate, o.n_classes),
    "predicted_unseen": lambda o: (o.truth < 0, o.candidate, o.n_classes),
    "any_seen": lambda o: (o.truth >= 0, _one(o), 1),
    "any_hit": lambda o: (_hits(o), _one(o), 1),
    "unseen": lambda o: (o.unseen_group >= 0, o.unseen_group, o.n_unseen),
    "any_unseen": lambda o: (o.unseen_group >= 0, _one(o), 1),
}


class Counter:
    """Images of one grouping, sorted by (group, score), with the place where each distinct score begins.

    Attributes
    ----------
    images : IntArray
        The rows of the outcome in (group, score) order.
    rank : IntArray
        For each of them the index of its score among the distinct scores of the outcome.
    """

    def __init__(self, outcome: Outcome, name: str) -> None:
        members, group, self.groups = GROUPINGS[name](outcome)
        scores, rank = outcome.ranking
        self.levels = len(scores)
        cell = rank[members] if self.groups == 1 else group[members] * self.levels + rank[members]
        self.images = np.flatnonzero(members)[np.argsort(cell, kind="stable")]
        self.rank = rank[self.images]
        self._first = np.zeros(self.groups * self.levels + 1, np.int64)
        np.cumsum(np.bincount(cell, minlength=self.groups * self.levels), out=self._first[1:])

    def begin(self, cuts: ArrayLike) -> IntArray:
        """(groups, cuts): where in the sorted images of each group the images accepted at each cut begin."""
        return self._first[np.arange(self.groups)[:, None] * self.levels + np.asarray(cuts, np.int64)]

    def bounds(self) -> IntArray:
        """(groups + 1,): where the images of each group begin, and the end."""
        return self._first[np.arange(self.groups + 1) * self.levels]


class Tally:
    """The counts of one outcome, for R weightings of its images.

    A *cut* c in 0..m stands for the threshold `scores[c]` of the m distinct scores, ascending: the images whose score
    has index >= c are accepted, so cut 0 accepts all and cut m none.

    Parameters
    ----------
    outcome : Outcome
        The answers that are counted.
    threshold : float, optional
        Where the metrics at a threshold are read; -inf (accept all) and +inf (reject all) are allowed.
    weights : array of int, optional
        Shape (R, N), each at least 0: how often each image counts. Without it every image counts once (R = 1).

    Raises
    ------
    ValueError
        The threshold is NaN.
    """

    def __init__(self, outcome: Outcome, threshold: float | None = None, weights: ArrayLike | None = None) -> None:
        if threshold is not None and math.isnan(threshold):
            raise ValueError("the threshold is NaN; choose it with choose_threshold.")
        self.outcome = outcome
        self.threshold = threshold
        self.weights = np.ones((1, len(outcome)), np.uint8) if weights is None else np.asarray(weights)
        self._kept: dict[str, Any] = {}

    @property
    def levels(self) -> int:
        """m, the number of distinct scores."""
        return len(self.outcome.ranking[0])

    @property
    def cut(self) -> int:
        """The cut of the threshold; ValueError if there is none."""
        if self.threshold is None:
            raise ValueError("this metric is read at a threshold, and none was given.")
        return int(np.searchsorted(self.outcome.ranking[0], self.threshold, side="left"))

    def counter(self, grouping: str) -> Counter:
        """The sorted images of a grouping, sorted once for an outcome. RunError if there are no unseen ones."""
        if grouping in ("unseen", "any_unseen") and self.outcome.n_unseen == 0:
            raise RunError("this metric needs images of unseen generators, and there are none.")
        return self.outcome.kept(grouping, lambda o: Counter(o, grouping))

    def kept(self, key: str, make: Callable[[Tally], Any]) -> Any:
        """`make(self)`, computed once for this tally: what several metrics share."""
        if key not in self._kept:
            self._kept[key] = make(self)
        return self._kept[key]

    def weights_of(self, grouping: str) -> NDArray[np.integer[Any]]:
        """The weights of the sorted images of a grouping, integers (R, images)."""
        return np.take(self.weights, self.counter(grouping).images, axis=1)

    def prefix(self, grouping: str) -> IntArray:
        """Sums of these weights up to each image, int32 or int64 (R, images + 1), beginning with 0."""

        def make(tally: Tally) -> IntArray:
            weights = tally.weights_of(grouping)
            sums = np.zeros((len(weights), weights.shape[1] + 1), tally._sum_type)
            np.cumsum(weights, axis=1, out=sums[:, 1:])
            return sums

        return self.kept(f"prefix {grouping}", make)

    @cached_property
    def _sum_type(self) -> type[np.signedinteger[Any]]:
        return np.int32 if int(self.weights.max()) * len(self.outcome) < 2**31 else np.int64

    def accepted(self, grouping: str, cuts: ArrayLike) -> IntArray:
        """Accepted images of each group at each cut, integers (R, groups, cuts)."""
        counter, prefix = self.counter(grouping), self.prefix(grouping)
        end = counter.bounds()[1:, None]
        return np.take(prefix, end, axis=1) - np.take(prefix, counter.begin(cuts), axis=1)

    def accepted_at(self, grouping: str, cuts: IntArray) -> IntArray:
        """Accepted images of a grouping with one group, each weighting at its own cut: integers (R,)."""
        begin = self.counter(grouping).begin(cuts)[0]
        prefix = self.prefix(grouping)
        return prefix[:, -1] - prefix[np.arange(len(prefix)), begin]

    def total(self, grouping: str) -> IntArray:
        """All images of each group, integers (R, groups)."""

        def make(tally: Tally) -> IntArray:
            bounds = tally.counter(grouping).bounds()
            # reduceat has no sum for a group without images.
            if f"prefix {grouping}" in tally._kept or (bounds[1:] == bounds[:-1]).any():
                return np.diff(np.take(tally.prefix(grouping), bounds, axis=1), axis=1)
            return np.add.reduceat(tally.weights_of(grouping), bounds[:-1], axis=1, dtype=tally._sum_type)

        return self.kept(f"total {grouping}", make)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Quotient with 0/0 = 0: a class that is neither there nor predicted has F1 0, as at the threshold +inf."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def mean_over_groups(values: FloatArray) -> FloatArray:
    """Mean over axis 1, added in the order of the groups, so that the last bit does not depend on the array's shape."""
    return sum((values[:, k] for k in range(1, values.shape[1])), start=values[:, 0]) / values.shape[1]


def at_least(rate: float, counts: ArrayLike) -> IntArray:
    """The smallest integers k with k / count >= rate, where `rate` means its decimal digits (0.95 is 19/20)."""
    exact = Fraction(str(rate))
    return -(-np.asarray(counts, np.int64) * exact.numerator // exact.denominator)


def at_most(rate: float, counts: ArrayLike) -> IntArray:
    """The largest integers k with k / count <= rate, where `rate` means its decimal digits."""
    exact = Fraction(str(rate))
    return np.asarray(counts, np.int64) * exact.numerator // exact.denominator
