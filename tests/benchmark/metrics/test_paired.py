"""Comparisons of two methods on the same images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from osbench.benchmark import metrics
from osbench.benchmark.metrics import METRICS, Outcome, bootstrap_interval, paired_difference
from osbench.benchmark.metrics.paired import swapped_differences
from osbench.generation.errors import RunError, UsageError
from scipy.stats import rankdata

from .reference import simulated


def test_a_run_does_not_differ_from_itself() -> None:
    outcome = simulated()
    for name in METRICS:
        found = paired_difference(outcome, outcome, name, thresholds=(0.5, 0.5), replicates=40)
        assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0), name


@pytest.mark.parametrize("name", METRICS)
def test_turning_the_comparison_round_turns_the_sign(name: str) -> None:
    first, second = simulated(seed=0), simulated(seed=1, shift=1.0)
    one = paired_difference(first, second, name, thresholds=(0.5, 0.2), replicates=60)
    other = paired_difference(second, first, name, thresholds=(0.2, 0.5), replicates=60)
    assert one.difference == -other.difference
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)
    assert one.p_value == other.p_value


def test_pairing_makes_the_interval_narrower_than_two_independent_ones() -> None:
    first = simulated((200, 200), (200, 200))
    rng = np.random.default_rng(0)
    noisy = first.known_score + 0.1 * rng.normal(size=len(first))
    second = Outcome(first.truth, first.unseen_group, first.candidate, noisy, 2, 2)
    paired = paired_difference(first, second, "auroc", replicates=300)
    alone = [bootstrap_interval(o, "auroc", replicates=300) for o in (first, second)]
    assert paired.high - paired.low < 0.5 * math.hypot(*(i.high - i.low for i in alone))


def test_a_clear_difference_is_found_whatever_the_scale_of_the_scores() -> None:
    first, second = simulated(shift=3.0), simulated(seed=1, shift=0.5)
    found = paired_difference(first, second, "auc_af1_crr", replicates=200)
    assert found.low > 0
    assert found.p_value == 1 / 201
    stretched = Outcome(
        second.truth,
        second.unseen_group,
        second.candidate,
        np.exp(5 * second.known_score),
        second.n_classes,
        second.n_unseen,
    )
    assert paired_difference(first, stretched, "auc_af1_crr", replicates=200) == found


def test_p_values_of_equally_good_methods_are_spread_evenly() -> None:
    values = [
        paired_difference(
            simulated((20, 20), (20, 20), seed=2 * k),
            simulated((20, 20), (20, 20), seed=2 * k + 1),
            "auroc",
            replicates=64,
            seed=k,
        ).p_value
        for k in range(120)
    ]
    assert np.mean(np.array(values) <= 0.1) == pytest.approx(0.1, abs=0.08)
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_swapping_by_weights_is_swapping_the_answers() -> None:
    first, second = simulated(seed=0, decimals=1), simulated(seed=1)
    found = swapped_differences(first, None, second, None, METRICS["auc_af1_crr"], 8, 7)
    rng = np.random.default_rng(np.random.SeedSequence([7, 2]))
    keep = rng.integers(0, 2, size=(32, len(first)))[:8].astype(bool)
    ranks = [rankdata(first.known_score), rankdata(second.known_score)]
    for row, value in zip(keep, found, strict=True):
        swapped = [
            Outcome(
                first.truth,
                first.unseen_group,
                np.where(stay, first.candidate, second.candidate),
                np.where(stay, *ranks),
                first.n_classes,
                first.n_unseen,
            )
            for stay in (row, ~row)
        ]
        assert value == pytest.approx(metrics.auc_af1_crr(swapped[0]) - metrics.auc_af1_crr(swapped[1]), abs=1e-12)


def test_several_seeds_on_both_sides() -> None:
    good = [simulated(seed=k, shift=2.5) for k in range(3)]
    poor = [simulated(seed=9 + k, shift=0.5) for k in range(3)]
    found = paired_difference(good, poor, "crr", thresholds=([1.0] * 3, [0.0] * 3), replicates=100)
    assert found.difference == pytest.approx(
        np.mean([metrics.crr(o, 1.0) for o in good]) - np.mean([metrics.crr(o, 0.0) for o in poor])
    )
    assert found.low > 0


def test_unequal_numbers_of_seeds_are_compared_by_their_means() -> None:
    pair, alone = [simulated(seed=0), simulated(seed=1)], simulated(seed=2, shift=1.3)
    found = paired_difference(pair, alone, "auroc", replicates=200)
    assert found.difference == np.mean([metrics.auroc(o) for o in pair]) - metrics.auroc(alone)
    swapped = [swapped_differences(o, None, alone, None, METRICS["auroc"], 200, 0) for o in pair]
    extreme = np.sum(np.abs(np.mean(swapped, axis=0)) >= abs(found.difference) - 1e-12)
    assert found.p_value == (1 + extreme) / 201
    assert extreme != np.sum(np.abs(swapped[0]) >= abs(found.difference) - 1e-12)


def test_refusals() -> None:
    outcome = simulated()
    with pytest.raises(RunError, match="same images"):
        paired_difference(outcome, simulated((60, 50, 41)), "auroc")
    with pytest.raises(UsageError, match="unknown metric"):
        paired_difference(outcome, outcome, "area")
    with pytest.raises(ValueError, match="none was given"):
        paired_difference(outcome, outcome, "af1")
    with pytest.raises(ValueError, match="each generator"):
        paired_difference(outcome, outcome, "crr_per_generator", thresholds=(0.0, 0.0))
    with pytest.raises(ValueError, match="confidence level"):
        paired_difference(outcome, outcome, "auroc", level=95)
