"""Counts of accepted images at any threshold and under any weighting: all the metrics are ratios of these.

Images are sorted once by (group, score); after that a count is a difference of two prefix sums. A bootstrap replicate
is a weighting of the same sorted images, so thousands of replicates need no second sort, and since all counts are
integers a replicate gives exactly the value that the metric has on the resampled arrays.

In memory the R weights of an image lie side by side, in the smallest integers that hold every count: so an image is
fetched in one move, and one 64-bit addition adds several weightings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.errors import RunError
from .outcome import FloatArray, IntArray, Outcome

BoolArray = NDArray[np.bool_]
CountArray = NDArray[np.integer[Any]]
Grouping = Callable[[Outcome], tuple[BoolArray, IntArray, int]]

_FOLD = 32


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
        rows = np.ones((1, len(outcome)), np.uint8) if weights is None else np.asarray(weights)
        columns = np.ascontiguousarray(rows.T)
        self._columns = columns.astype(_count_type(int(_sum_rows(columns).max())), copy=False)
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

    def weights_of(self, grouping: str) -> CountArray:
        """The weights of the sorted images of a grouping, (images, R)."""
        return np.take(self._columns, self.counter(grouping).images, axis=0)

    def prefix(self, grouping: str) -> CountArray:
        """Sums of these weights before each image, and of all, (images + 1, R); twice a sum is still in range."""

        def make(tally: Tally) -> CountArray:
            weights = tally.weights_of(grouping)
            sums = np.zeros((len(weights) + 1, weights.shape[1]), weights.dtype)
            # No sum overflows into its neighbour, so several are added as one 64-bit integer.
            packed = np.uint64 if sums.strides[0] % 8 == 0 else sums.dtype
            np.cumsum(weights.view(packed), axis=0, out=sums[1:].view(packed))
            return sums

        return self.kept(f"prefix {grouping}", make)

    def accepted(self, grouping: str, cuts: ArrayLike) -> IntArray:
        """Accepted images of each group at each cut, int64 (R, groups, cuts)."""
        counter, prefix = self.counter(grouping), self.prefix(grouping)
        end = counter.bounds()[1:, None]
        found = np.take(prefix, end, axis=0) - np.take(prefix, counter.begin(cuts), axis=0)
        return found.transpose(2, 0, 1).astype(np.int64)

    def accepted_at(self, grouping: str, cuts: IntArray) -> IntArray:
        """Accepted images of a grouping with one group, each weighting at its own cut: int64 (R,)."""
        begin = self.counter(grouping).begin(cuts)[0]
        prefix = self.prefix(grouping)
        return (prefix[-1] - prefix[begin, np.arange(prefix.shape[1])]).astype(np.int64)

    def total(self, grouping: str) -> IntArray:
        """All images of each group, int64 (R, groups)."""
        return self.kept(f"total {grouping}", lambda t: t.accepted(grouping, [0])[..., 0])


def _count_type(most: int) -> type[np.integer[Any]]:
    """The smallest type that holds twice the count."""
    return next(kind for kind in (np.uint16, np.uint32, np.int64) if 2 * most <= np.iinfo(kind).max)


def _sum_rows(counts: CountArray) -> IntArray:
    """The sum over axis 0, int64 (R,); many short rows are faster added as a few long ones."""
    whole = len(counts) // _FOLD * _FOLD
    folded = counts[:whole].reshape(-1, _FOLD * counts.shape[1]).sum(axis=0, dtype=np.int64)
    return folded.reshape(_FOLD, -1).sum(axis=0) + counts[whole:].sum(axis=0, dtype=np.int64)


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
