"""Intervals: what they cover, and what they refuse."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from osbench.benchmark import metrics
from osbench.benchmark.metrics import METRICS, Outcome, all_metrics
from osbench.benchmark.metrics.intervals import (
    bootstrap_interval,
    bootstrap_intervals,
    generator_interval,
    nested_interval,
    per_generator_intervals,
)
from osbench.benchmark.metrics.resampling import Resamples
from osbench.core.errors import RunError, UsageError

from .reference import simulated


def test_interval_is_the_percentiles_of_recomputed_resamples() -> None:
    outcome, threshold = simulated(decimals=1), 0.5
    values = []
    for block in Resamples(outcome, 60, seed=4).blocks():
        for row in block:
            values.append(metrics.auc_af1_crr(outcome.take(np.repeat(np.arange(len(outcome)), row))))
    interval = bootstrap_interval(outcome, "auc_af1_crr", threshold, replicates=60, seed=4, level=0.9)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), abs=1e-12)
    assert interval.estimate == metrics.auc_af1_crr(outcome)
    assert (interval.kind, interval.level, interval.replicates, interval.seed) == ("images", 0.9, 60, 4)


def test_all_metrics_at_once_are_the_same_as_one_by_one() -> None:
    outcome = simulated()
    together = bootstrap_intervals(outcome, 0.5, replicates=50)
    assert {name: i.estimate for name, i in together.items()} == pytest.approx(all_metrics(outcome, 0.5), nan_ok=True)
    for name in METRICS:
        assert together[name] == bootstrap_interval(outcome, name, 0.5, replicates=50)
        assert together[name].low <= together[name].high


def test_interval_has_about_the_width_of_the_binomial() -> None:
    outcome = simulated((400,), (400,), shift=0.0)
    interval = bootstrap_interval(outcome, "crr_pooled", 0.0, replicates=1000)
    width = 2 * 1.96 * math.sqrt(interval.estimate * (1 - interval.estimate) / 400)
    assert interval.high - interval.low == pytest.approx(width, rel=0.15)


def test_undefined_replicates_are_left_out_and_counted() -> None:
    # The top score belongs to one unseen image: replicates that draw it have no CCR at FPR 0.01, the others have.
    outcome = Outcome(
        np.array([0] * 10 + [-1] * 5),
        np.array([-1] * 10 + [0] * 5),
        np.zeros(15, int),
        np.array([*range(10), 99, -1, -2, -3, -4], float),
        1,
        1,
    )
    interval = bootstrap_interval(outcome, "ccr_at_fpr_0.01", replicates=400)
    assert math.isnan(interval.estimate)
    assert interval.replicates / 400 == pytest.approx((4 / 5) ** 5, abs=0.1)
    assert interval.low == interval.high == 1.0
    assert json.loads(json.dumps(interval.to_json(), allow_nan=False))["estimate"] is None


def test_per_generator_intervals_in_index_order() -> None:
    outcome = simulated()
    found = per_generator_intervals(outcome, 0.5, replicates=40)
    assert [i.estimate for i in found["f1_per_class"]] == metrics.f1_per_class(outcome, 0.5).tolist()
    assert [i.estimate for i in found["crr_per_generator"]] == metrics.crr_per_generator(outcome, 0.5).tolist()
    assert [i.estimate for i in found["auroc_per_generator"]] == metrics.auroc_per_generator(outcome).tolist()
    assert all(i.low <= i.estimate <= i.high for parts in found.values() for i in parts)


def test_equal_seeds_give_the_interval_of_one() -> None:
    outcome = simulated()
    one = bootstrap_interval(outcome, "auc_af1_crr", replicates=80)
    three = nested_interval([outcome] * 3, "auc_af1_crr", replicates=80)
    assert three.kind == "seeds+images"
    assert (three.low, three.high) == pytest.approx((one.low, one.high), abs=1e-12)


def test_seeds_that_differ_widen_the_interval() -> None:
    good, bad = simulated(shift=3.0), simulated(shift=0.5)
    both = nested_interval([good, bad, good], "auroc", replicates=300)
    alone = [bootstrap_interval(o, "auroc", replicates=300) for o in (good, bad)]
    assert both.estimate == pytest.approx((2 * alone[0].estimate + alone[1].estimate) / 3)
    assert both.high - both.low > max(i.high - i.low for i in alone)


def test_generator_interval_is_that_of_one_more_value_clipped() -> None:
    values = [0.45, 0.5, 0.55, 0.48, 0.52]
    found = generator_interval(values)
    mean = ttest_1samp(values, 0).confidence_interval(0.95)
    wider = math.sqrt(6)  # sqrt(1 + 1/5) instead of sqrt(1/5)
    assert found.high - found.estimate == pytest.approx(wider * (mean.high - found.estimate), abs=1e-12)
    assert found.estimate - found.low == pytest.approx(found.high - found.estimate, abs=1e-12)
    assert found.kind == "generators"
    far = generator_interval([0.0, 1.0, 0.0, 1.0, 1.0])
    assert (far.low, far.high) == (0.0, 1.0)


@pytest.mark.parametrize("values", [[0.484, 0.806], [0.767, 0.783], [0.0, 0.0], [0.5] * 4])
def test_fewer_than_five_generators_say_nothing_about_another(values: list[float]) -> None:
    """Two that happen to be alike would look like a sharp forecast; the first pair is that of the paper's table 3."""
    found = generator_interval(values)
    assert found.estimate == pytest.approx(np.mean(values))
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_generator_interval_of_odd_values() -> None:
    one = generator_interval([0.4])
    assert one.estimate == 0.4
    assert math.isnan(one.low)
    assert one.to_json()["high"] is None
    with pytest.raises(RunError):
        generator_interval([])
    with pytest.raises(RunError):
        generator_interval([0.1, np.nan])
    with pytest.raises(ValueError, match=r"0\.\.1"):
        generator_interval([0.1, 1.2])


@pytest.mark.slow
@pytest.mark.parametrize(("generators", "mean"), [(5, 0.78), (7, 0.78), (7, 0.5), (20, 0.5)])
def test_the_interval_of_a_new_generator_covers_a_new_generator(generators: int, mean: float) -> None:
    """Rejection rates drawn from a beta law of that mean, measured on 200 images each; the truth is one more draw."""
    rng = np.random.default_rng([generators, int(100 * mean)])
    trials, images = 4000, 200
    rates = rng.beta(4 * mean, 4 * (1 - mean), size=(trials, generators + 1))
    measured = rng.binomial(images, rates[:, 1:]) / images
    covered = [i.low <= r <= i.high for i, r in zip(map(generator_interval, measured), rates[:, 0], strict=True)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("generators", [5, 10])
def test_an_interval_over_images_does_not_cover_a_new_generator(generators: int) -> None:
    """Rejection rates of a logit-normal law of sd 1; even the law's mean, 0.5 by symmetry, is missed."""
    rng = np.random.default_rng(generators)
    images = 200
    rates = 1 / (1 + np.exp(-rng.normal(size=(100, generators))))
    bootstrapped = []
    for row in rng.binomial(images, rates):
        scores = np.concatenate([np.arange(images) >= rejected for rejected in row]).astype(float)
        outcome = Outcome(
            np.array([0] + [-1] * len(scores)),
            np.concatenate([[-1], np.repeat(np.arange(generators), images)]),
            np.zeros(len(scores) + 1, int),
            np.concatenate([[1.0], scores]),
            1,
            generators,
        )
        interval = bootstrap_interval(outcome, "crr", 0.5, replicates=64)
        bootstrapped.append(interval.low <= 0.5 <= interval.high)
    assert np.mean(bootstrapped) < 0.5


def test_refusals() -> None:
    outcome = simulated()
    with pytest.raises(UsageError, match="unknown metric"):
        bootstrap_interval(outcome, "area")
    with pytest.raises(ValueError, match="none was given"):
        bootstrap_interval(outcome, "af1")
    with pytest.raises(ValueError, match="each generator"):
        bootstrap_interval(outcome, "f1_per_class", 0.0)
    with pytest.raises(ValueError, match="confidence level"):
        bootstrap_interval(outcome, "auroc", level=95)
    with pytest.raises(RunError, match="unseen"):
        bootstrap_intervals(simulated(unseen_sizes=()), 0.0)
