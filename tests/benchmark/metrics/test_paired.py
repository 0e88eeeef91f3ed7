"""Comparisons of two methods on the same images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import t, ttest_ind, ttest_rel

from osbench.benchmark import metrics
from osbench.benchmark.metrics import METRICS, Outcome, bootstrap_interval, paired_difference
from osbench.benchmark.metrics.paired import Side, difference_of
from osbench.core.errors import RunError, UsageError

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
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9, nan_ok=True)


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
    assert found.p_value < 0.01
    assert found.freedom == math.inf
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


def drawn(each: list[float] | np.ndarray, image_noise: np.ndarray) -> Side:
    """A method whose seeds have these values, and whose mean moves with the images like this."""
    values = np.asarray(each, np.float64)
    return Side(values, values.mean() + image_noise)


def test_without_image_noise_it_is_the_test_of_welch_or_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    one, other, still = rng.normal(0.5, 0.05, 4), rng.normal(0.4, 0.01, 3), np.zeros(50)
    found = difference_of(drawn(one, still), drawn(other, still), "auroc", level=0.9)
    welch: Any = ttest_ind(one, other, equal_var=False)
    assert found.p_value == pytest.approx(welch.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(welch.confidence_interval(0.9)), rel=1e-9)
    assert found.freedom == pytest.approx(welch.df)
    third = one + rng.normal(0.02, 0.005, 4)
    same = difference_of(drawn(one, still), drawn(third, still), "auroc", level=0.95, same_fits=True)
    paired: Any = ttest_rel(one, third)
    assert same.p_value == pytest.approx(paired.pvalue, rel=1e-9)
    with pytest.raises(ValueError, match="same seeds, not 4 and 3"):
        difference_of(drawn(one, still), drawn(other, still), "auroc", level=0.95, same_fits=True)


def test_variances_of_images_and_of_seeds_add() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.02, 400)
    seeds, alone = drawn([0.5, 0.6, 0.7], noise), drawn([0.5], np.zeros(400))
    found = difference_of(seeds, alone, "auroc", level=0.95)
    images, training = np.var(noise, ddof=1), 0.01 / 3
    assert found.freedom == pytest.approx((images + training) ** 2 / (training**2 / 2), rel=1e-6)
    half = t.ppf(0.975, found.freedom) * math.sqrt(images + training)
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half), rel=1e-6)


@pytest.mark.parametrize(("image_noise", "seeds"), [(0.0, 3), (0.3, 3), (1.0, 3), (0.3, 5)])
def test_methods_that_training_again_makes_differ_are_seldom_called_different(image_noise: float, seeds: int) -> None:
    """Two ways of training of one quality: seeds spread by 1, images by ``image_noise``."""
    rng = np.random.default_rng(seeds)
    wrong = 0
    for _ in range(400):
        one, other = (
            drawn(shift + rng.normal(size=seeds), image_noise * rng.normal(size=100))
            for shift in image_noise * rng.normal(size=2)
        )
        wrong += difference_of(one, other, "auroc", level=0.95).p_value <= 0.05
    assert wrong <= 0.08 * 400


def test_undefined_replicates_are_left_out_and_an_undefined_metric_stays_undefined() -> None:
    noise = np.random.default_rng(2).normal(size=40)
    one, other = drawn([0.5], noise), drawn([0.4], np.zeros(40))
    one.values[::2] = math.nan
    found = difference_of(one, other, "auroc", level=0.95)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * np.std(noise[1::2], ddof=1), rel=1e-5)
    undefined = difference_of(drawn([math.nan], noise), other, "auroc", level=0.95)
    assert math.isnan(undefined.p_value)
    assert undefined.to_json()["low"] is None


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
    assert found.difference == pytest.approx(np.mean([metrics.auroc(o) for o in pair]) - metrics.auroc(alone))


def test_rules_of_one_fit_are_paired_by_seed() -> None:
    fits = [simulated(seed=k, shift=1.0 + k) for k in range(3)]  # seeds that differ a lot
    better = [
        Outcome(o.truth, o.unseen_group, o.candidate, o.known_score + 0.3 * (o.truth >= 0), o.n_classes, o.n_unseen)
        for o in fits
    ]
    apart = paired_difference(better, fits, "auroc", replicates=200)
    together = paired_difference(better, fits, "auroc", replicates=200, same_fits=True)
    assert together.high - together.low < 0.5 * (apart.high - apart.low)
    assert apart.difference == together.difference


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
