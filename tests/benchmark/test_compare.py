"""Comparison of several methods: Holm, tie groups, and no difference where there is none."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.compare import Contender, compare, holm, tie_groups
from osbench.benchmark.metrics import PRIMARY, Outcome, paired_difference
from osbench.benchmark.metrics.paired import Side, side_of
from osbench.benchmark.metrics.resampling import Resamples, replicate
from osbench.benchmark.metrics.summary import metric
from osbench.core.errors import RunError, UsageError

TRUTH = np.array([*np.repeat([0, 1, 2], 40), *[-1] * 60])
GROUP = np.array([*[-1] * 120, *np.repeat([0, 1], 30)])


def outcome(shift: float, seed: int) -> Outcome:
    """A method whose seen images score `shift` above the unseen; the better, the larger."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=len(TRUTH)) + shift * (TRUTH >= 0)
    return Outcome(TRUTH, GROUP, np.maximum(TRUTH, 0), score, 3, 2)


def side(outcomes: list[Outcome], metric_name: str = PRIMARY, replicates: int = 20) -> Side:
    resamples = Resamples(outcome(0.0, 0), replicates)
    return side_of(
        replicate(outcomes, [0.0] * len(outcomes), {metric_name: metric(metric_name)}, resamples), metric_name
    )


def contender(name: str, shift: float, seeds: range, metric_name: str = PRIMARY, replicates: int = 20) -> Contender:
    return Contender(name, side([outcome(shift, seed) for seed in seeds], metric_name, replicates))


def test_good_methods_beat_bad_ones_and_equals_are_tied() -> None:
    found = compare(
        [
            contender("bad", 0.0, range(3), replicates=200),
            contender("good", 3.0, range(3, 6), replicates=200),
            contender("same", 3.0, range(6, 8), replicates=200),
        ]
    )
    assert list(found.estimates)[-1] == "bad"
    assert found.ties == [list(found.estimates)[:2], ["bad"]]
    assert {(p.first, p.second) for p in found.pairs if p.different} == {("good", "bad"), ("same", "bad")}
    assert all(p.difference.difference >= 0 for p in found.pairs)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["metric"] == "auc_af1_crr"
    assert set(document["pairs"][0]) >= {"first", "second", "difference", "low", "high", "p_value", "adjusted_p"}


def test_a_pair_is_the_paired_difference() -> None:
    a, b = [outcome(2.0, 0), outcome(2.0, 1)], [outcome(1.0, 2), outcome(1.0, 3)]
    found = compare([Contender("a", side(a, "af1", 60)), Contender("b", side(b, "af1", 60))], "af1")
    assert [p.difference for p in found.pairs] == [paired_difference(a, b, "af1", thresholds=(0.0, 0.0), replicates=60)]
    assert found.pairs[0].adjusted_p == found.pairs[0].difference.p_value


def test_one_contender_has_no_pair() -> None:
    found = compare([contender("a", 2.0, range(2))])
    assert (found.pairs, found.ties) == ([], [["a"]])


def test_rules_of_one_fit_are_compared_seed_by_seed() -> None:
    a, b, c = (contender(name, 1.0, range(3)) for name in "abc")
    shared = [Contender(x.name, x.side, fit="network") for x in (a, b)]
    assert shared[0].shares_fits(shared[1])
    assert not shared[0].shares_fits(c)
    assert not a.shares_fits(b), "nothing is known of their fits"
    assert not Contender("d", side([outcome(1.0, 0)]), fit="network").shares_fits(shared[0])
    assert compare([*shared, c]).pairs[0].difference.p_value == 1.0


def test_many_equal_methods_are_seldom_called_different() -> None:
    """Six ways of training of one quality, whose seeds spread: 15 pairs at one joint level."""
    wrong = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        contenders = []
        for name in "abcdef":
            shifts = 1.0 + 0.5 * rng.normal(size=3)
            outcomes = [outcome(shift, int(rng.integers(2**31))) for shift in shifts]
            contenders.append(Contender(name, side(outcomes, "auroc", 32)))
        wrong += any(pair.different for pair in compare(contenders, "auroc").pairs)
    assert wrong <= 7


def test_lower_is_better_for_error_rates() -> None:
    bad, good = (contender(n, s, range(k, k + 1), "fpr95_id") for k, (n, s) in enumerate([("bad", 0.5), ("good", 3.0)]))
    found = compare([bad, good], "fpr95_id")
    assert list(found.estimates) == ["good", "bad"]
    assert found.pairs[0].difference.difference < 0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    with_nan = holm([0.01, math.nan, 0.02])
    assert with_nan[0] == pytest.approx(0.03)
    assert with_nan[2] == pytest.approx(0.04)
    assert math.isnan(with_nan[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_only_raises(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(a >= v for a, v in zip(adjusted, values, strict=True))
    assert max(adjusted) <= 1
    for (v, a), (w, b) in itertools.combinations(zip(values, adjusted, strict=True), 2):
        assert a <= b if v < w else b <= a if w < v else a == b


@given(st.integers(2, 6), st.data())
def test_tie_groups_are_the_largest_sets_without_a_different_pair(size: int, data: st.DataObject) -> None:
    names = [f"m{i}" for i in range(size)]
    couples = list(itertools.combinations(names, 2))
    different = [pair for pair in couples if data.draw(st.booleans())]

    def tied(group: tuple[str, ...]) -> bool:
        return not any(set(pair) <= set(group) for pair in different)

    sets = [g for k in range(1, size + 1) for g in itertools.combinations(names, k) if tied(g)]
    largest = {g for g in sets if not any(set(g) < set(other) for other in sets)}
    groups = tie_groups(names, different)
    assert {tuple(g) for g in groups} == largest
    assert len(groups) == len(largest)
    assert groups == sorted(groups)


def test_refusals() -> None:
    a, b = contender("a", 1.0, range(1)), contender("b", 1.0, range(1, 2))
    with pytest.raises(ValueError, match="different names"):
        compare([a, a])
    with pytest.raises(ValueError, match="different names"):
        compare([])
    with pytest.raises(UsageError, match="unknown metric"):
        compare([a, b], "area")
    first = outcome(1.0, 0)
    with pytest.raises(RunError, match="same images"):
        side([first.take(np.arange(len(first))[::-1])])
