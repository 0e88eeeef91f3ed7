"""Counts of accepted images at any threshold and under any weighting: all the metrics are ratios of these.

Images are sorted once by (group, score); after that a count is a difference of two prefix sums. A bootstrap replicate
is a weighting of the same sorted images, so thousands of replicates need no second sort, and since all counts are
integers a replicate gives exactly the value that the metric has on the resampled arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property

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
    "predicted_seen": lambda o: (o.truth >= 0, o.candidate, o.n_classes),
    "any_seen": lambda o: (o.truth >= 0, _one(o), 1),
    "any_hit": lambda o: (_hits(o), _one(o), 1),
    "unseen": lambda o: (o.unseen_group >= 0, o.unseen_group, o.n_unseen),
}


class Counter:
    """Images of one grouping, sorted by (group, score), with the place where each distinct score begins."""

    def __init__(self, outcome: Outcome, name: str) -> None:
        members, group, self.groups = GROUPINGS[name](outcome)
        scores, rank = outcome.ranking
        self.levels = len(scores)
        self._members = members
        self._cell = rank[members] if self.groups == 1 else group[members] * self.levels + rank[members]
        self._first = np.zeros(self.groups * self.levels + 1, np.int64)
        np.cumsum(np.bincount(self._cell, minlength=self.groups * self.levels), out=self._first[1:])

    @cached_property
    def images(self) -> IntArray:
        """The rows of the outcome in (group, score) order."""
        return np.flatnonzero(self._members)[np.argsort(self._cell, kind="stable")]

    def begin(self, cuts: IntArray) -> IntArray:
        """(groups, cuts): where in the sorted images of each group the images accepted at each cut begin."""
        return self._first[np.arange(self.groups)[:, None] * self.levels + cuts]

    def end(self) -> IntArray:
        """(groups, 1): where the images of each group end."""
        return self._first[(np.arange(self.groups)[:, None] + 1) * self.levels]


class Tally:
    """The counts of one outcome, for R weightings of its images.

    A *cut* c in 0..m stands for the threshold `scores[c]` of the m distinct scores, ascending: the images whose score
    has index >= c are accepted, so cut 0 accepts all and cut m none.

    Parameters
    ----------
    threshold: where the metrics at a threshold are read; -inf (accept all) and +inf (reject all) are allowed.
    weights: integers >= 0 of shape (R, N), how often each image counts; None counts every image once (R = 1).

    Raises
    ------
    ValueError: the threshold is NaN.
    """

    def __init__(self, outcome: Outcome, threshold: float | None = None, weights: ArrayLike | None = None) -> None:
        if threshold is not None and math.isnan(threshold):
            raise ValueError("the threshold is NaN; choose it with choose_threshold.")
        self.outcome = outcome
        self.threshold = threshold
        self.weights = None if weights is None else np.asarray(weights)
        self._prefix: dict[str, IntArray] = {}

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

    @cached_property
    def unseen_levels(self) -> IntArray:
        """Indices of the distinct scores that unseen images have: the only places where a rejection rate steps."""
        rank = self.outcome.ranking[1]
        return np.flatnonzero(np.bincount(rank[self.outcome.unseen_group >= 0], minlength=self.levels))

    def accepted(self, grouping: str, cuts: ArrayLike) -> IntArray:
        """Accepted images of each group at each cut, int64 (R, groups, cuts)."""
        if grouping == "unseen" and self.outcome.n_unseen == 0:
            raise RunError("this metric needs images of unseen generators, and there are none.")
        counter: Counter = self.outcome.kept(grouping, lambda o: Counter(o, grouping))
        begin, end = counter.begin(np.asarray(cuts, np.int64)), counter.end()
        if self.weights is None:
            return (end - begin)[None]
        prefix = self._prefix_sums(grouping, counter)
        return np.take(prefix, end, axis=1) - np.take(prefix, begin, axis=1)

    def total(self, grouping: str) -> IntArray:
        """All images of each group, int64 (R, groups)."""
        return self.accepted(grouping, [0])[..., 0]

    def _prefix_sums(self, grouping: str, counter: Counter) -> IntArray:
        if grouping not in self._prefix:
            assert self.weights is not None
            prefix = np.zeros((len(self.weights), len(counter.images) + 1), np.int64)
            np.cumsum(np.take(self.weights, counter.images, axis=1), axis=1, out=prefix[:, 1:])
            self._prefix[grouping] = prefix
        return self._prefix[grouping]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Quotient with 0/0 = 0: a class that is neither there nor predicted has F1 0, as at the threshold +inf."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def mean_over_groups(values: FloatArray) -> FloatArray:
    """Mean over axis 1, added in the order of the groups, so that the last bit does not depend on the array's shape."""
    return sum((values[:, k] for k in range(1, values.shape[1])), start=values[:, 0]) / values.shape[1]


def sum_in_order(values: FloatArray) -> FloatArray:
    """Sum over the last axis, term by term: terms that are zero then change no bit of the result."""
    if values.shape[-1] == 0:
        return np.zeros(values.shape[:-1])
    return np.cumsum(values, axis=-1)[..., -1]


def at_least(rate: float, counts: ArrayLike) -> IntArray:
    """The smallest integers k with k / count >= rate, where `rate` means its decimal digits (0.95 is 19/20)."""
    exact = Fraction(str(rate))
    return -(-np.asarray(counts, np.int64) * exact.numerator // exact.denominator)


def at_most(rate: float, counts: ArrayLike) -> IntArray:
    """The largest integers k with k / count <= rate, where `rate` means its decimal digits."""
    exact = Fraction(str(rate))
    return np.asarray(counts, np.int64) * exact.numerator // exact.denominator
