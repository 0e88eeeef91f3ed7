"""Threshold rules: exact order statistics on seen validation, and oracles that say so."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.metrics import Outcome, accept_threshold, choose_threshold, threshold_names, threshold_rule
from osbench.core.errors import RunError, UsageError

from . import reference
from .reference import outcomes, simulated

SCORES = st.lists(st.one_of(reference.TIED_SCORES, reference.ANY_SCORES), min_size=1, max_size=60)


@given(SCORES, st.sampled_from(["0.95", "0.9", "0.5", "1.0", "0.001"]))
def test_largest_threshold_that_accepts_enough(scores: list[float], rate: str) -> None:
    enough = [t for t in scores if Fraction(sum(s >= t for s in scores), len(scores)) >= Fraction(rate)]
    assert accept_threshold(scores, float(rate)) == max(enough)


def test_nineteen_of_twenty_are_95_percent() -> None:
    scores = np.arange(20.0)
    assert accept_threshold(scores) == 1.0
    assert accept_threshold(scores[:19]) == 0.0  # 18 of 19 are too few
    assert accept_threshold(np.arange(100.0)) == 5.0


def test_ties_at_the_threshold_are_all_accepted() -> None:
    scores = np.array([0.0] * 10 + [1.0] * 90)
    threshold = accept_threshold(scores)
    assert threshold == 0.0
    assert np.mean(scores >= threshold) == 1.0  # 90 % would be too few
    assert accept_threshold(np.full(7, 3.5)) == 3.5


@pytest.mark.parametrize("bad", [[], [0.1, np.nan], [np.inf]])
def test_no_score_or_a_bad_one_is_refused(bad: list[float]) -> None:
    with pytest.raises(RunError):
        accept_threshold(bad)


@pytest.mark.parametrize("rate", [0.0, 1.5, -0.1, float("nan")])
def test_rates_out_of_range_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="acceptance rate"):
        accept_threshold([0.0], rate)


@given(outcomes(n_unseen=0))
def test_f1_max_is_the_largest_best_threshold(validation: Outcome) -> None:
    values = {t: reference.af1(validation, t) for t in reference.thresholds(validation)}
    chosen = choose_threshold("f1-max-val", validation)
    # Equal fractions may differ in the last bit as floats, so compare values, then position among equal floats.
    assert float(values[chosen]) == pytest.approx(float(max(values.values())), abs=1e-12)
    assert all(values[t] < values[chosen] + Fraction(1, 10**12) for t in values if t > chosen)


def test_f1_max_rejects_the_most_among_equally_good_thresholds() -> None:
    # Class 1 is never hit, so rejecting the wrong answer "1" at score 1 changes no F1.
    nowhere = np.full(3, -1)
    validation = Outcome(np.array([1, 0, 0]), nowhere, np.array([0, 0, 1]), np.array([4.0, 3.0, 1.0]), 2, 0)
    assert reference.af1(validation, 1.0) == reference.af1(validation, 3.0) == Fraction(1, 4)
    assert choose_threshold("f1-max-val", validation) == 3.0


@given(outcomes())
def test_oracle_has_the_best_harmonic_mean(test: Outcome) -> None:
    def harmonic(threshold: float) -> float:
        f1, crr = reference.af1(test, threshold), reference.crr(test, threshold)
        return float(2 * f1 * crr / (f1 + crr)) if f1 + crr else 0.0

    validation = simulated(unseen_sizes=())
    chosen = choose_threshold("oracle-harmonic", validation, test)
    assert harmonic(chosen) == pytest.approx(max(harmonic(t) for t in reference.thresholds(test)), abs=1e-12)


def test_rules_say_whether_they_are_oracles() -> None:
    assert {name for name in threshold_names() if threshold_rule(name).oracle} == {"oracle-harmonic"}
    validation = simulated(unseen_sizes=())
    assert choose_threshold("accept-95", validation) == accept_threshold(validation.known_score, 0.95)
    assert choose_threshold("accept-99", validation) == accept_threshold(validation.known_score, 0.99)


def test_rules_refuse_what_they_must_not_see() -> None:
    with pytest.raises(ValueError, match="unseen"):
        choose_threshold("accept-95", simulated())
    with pytest.raises(ValueError, match="test outcome"):
        choose_threshold("oracle-harmonic", simulated(unseen_sizes=()))
    with pytest.raises(UsageError, match=r"Did you mean 'accept-95'\?"):
        choose_threshold("acept-95", simulated(unseen_sizes=()))
