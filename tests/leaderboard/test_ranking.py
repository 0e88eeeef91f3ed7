"""Ranks with ties, and that nothing missing is ever ranked above something measured."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from osbench.benchmark.metrics.intervals import Interval
from osbench.leaderboard.ranking import UNRANKED, Rank, order, rank


def found(estimate: float, low: float = math.nan, high: float = math.nan) -> Interval:
    return Interval(estimate, low, high, 0.95, "images", 10, 0)


def apart(n: int, *pairs: tuple[int, int]) -> NDArray[np.bool_]:
    """Which of n entries surely lie above which."""
    above = np.zeros((n, n), dtype=bool)
    for i, j in pairs:
        above[i, j] = True
    return above


def by_intervals(estimates: list[Interval]) -> NDArray[np.bool_]:
    """An order that is possible: above is whose interval lies wholly above."""
    return np.array([[a.low > b.high for b in estimates] for a in estimates])


def values(*means: float) -> list[Interval]:
    return [found(mean) for mean in means]


def test_entries_that_are_not_apart_share_a_rank_and_say_which_ranks_are_possible() -> None:
    above = apart(4, (0, 1), (0, 2), (0, 3), (1, 3), (2, 3))
    assert rank(values(0.9, 0.8, 0.78, 0.5), above) == [Rank(1, 1, 1), Rank(2, 2, 3), Rank(2, 2, 3), Rank(4, 4, 4)]


def test_an_entry_can_tie_with_two_that_do_not_tie_with_each_other() -> None:
    ranks = rank(values(0.9, 0.8, 0.7), apart(3, (0, 2)))
    assert [r.rank for r in ranks] == [1, 1, 2]
    assert ranks[1] == Rank(1, 1, 3)


def test_an_uncertain_entry_does_not_overtake_a_larger_value() -> None:
    ranks = rank(values(0.9, 0.80, 0.75), apart(3, (0, 1)))
    assert [r.rank for r in ranks] == [1, 2, 2]
    assert ranks[2] == Rank(2, 1, 3)


def test_missing_values_are_unranked_and_last() -> None:
    estimates = [
        found(math.nan),
        found(math.nan, 0.9, 1.0),
        found(0.1, 0.0, 0.2),
        found(math.inf, 1, 1),
    ]
    assert rank(estimates, apart(4)) == [UNRANKED, UNRANKED, Rank(1, 1, 1), UNRANKED]
    assert order(estimates, ["a", "b", "c", "d"]) == [2, 0, 1, 3]


def test_equal_entries_are_in_the_order_of_their_names() -> None:
    same = found(0.5, 0.4, 0.6)
    assert order([same, same, same], ["c", "a", "b"]) == [1, 2, 0]


_unit = st.floats(0, 1)
_estimates = st.lists(
    st.one_of(
        st.tuples(_unit, _unit, _unit).map(lambda t: found(sorted(t)[1], sorted(t)[0], sorted(t)[2])),
        st.just(found(math.nan)),
    ),
    min_size=1,
    max_size=12,
)


def _literal_rank(estimates: list[Interval], position: int) -> int:
    own, count = estimates[position], 1
    for other in estimates:
        if other.low > own.high:
            count += 1
    return count


@given(_estimates)
def test_ranks_follow_the_rule_and_the_order(estimates: list[Interval]) -> None:
    ranks = rank(estimates, by_intervals(estimates))
    positions = order(estimates, [str(i) for i in range(len(estimates))])
    means = [estimates[i].estimate for i in positions]
    measured = [value for value in means if math.isfinite(value)]
    assert means[: len(measured)] == sorted(measured, reverse=True)
    shown = [rank_ for i in positions if (rank_ := ranks[i].rank) is not None]
    assert shown == sorted(shown)
    assert len(shown) == len(measured)
    for i, own in enumerate(ranks):
        if own.rank is None:
            assert math.isnan(estimates[i].estimate)
            continue
        assert own.low is not None
        assert own.high is not None
        assert own.low == _literal_rank(estimates, i)
        assert own.low <= own.rank <= own.high <= len(measured)
        above = [_literal_rank(estimates, j) for j, other in enumerate(estimates) if _larger(other, estimates[i])]
        assert own.rank == max([own.low, *above])


def _larger(first: Interval, second: Interval) -> bool:
    return first.estimate > second.estimate
