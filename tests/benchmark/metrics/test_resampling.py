"""Weights in place of resampled arrays: the same numbers, and the same resample for everyone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from osbench.benchmark.metrics import METRICS, PER_GENERATOR, Outcome, resampling
from osbench.benchmark.metrics.resampling import BLOCK, Resamples, replicate, with_seed_noise
from osbench.benchmark.metrics.tally import Tally
from osbench.core.errors import RunError

from .reference import outcomes, simulated

#: Sums of fractions: an image that is not drawn splits a term in two, which may move the last bit.
AREAS = ("auc_af1_crr", "auc_af1_crr_pooled")


def blocks(outcome: Outcome, replicates: int, seed: int) -> list[np.ndarray]:
    return list(Resamples(outcome, replicates, seed).blocks())


def assert_weights_equal_resamples(outcome: Outcome, weights: np.ndarray, threshold: float) -> None:
    weighted = Tally(outcome, threshold, weights)
    for name, metric in (METRICS | PER_GENERATOR).items():
        values = metric.kernel(weighted)
        for row, value in zip(weights, values, strict=True):
            resampled = outcome.take(np.repeat(np.arange(len(outcome)), row))
            expected = metric.kernel(Tally(resampled, threshold))[0]
            if name in AREAS:
                assert value == pytest.approx(expected, abs=1e-12), name
            else:
                assert np.array_equal(value, expected, equal_nan=True), name


@given(outcomes(max_images=6))
@settings(max_examples=50)
def test_a_replicate_is_the_metric_of_the_resampled_arrays(outcome: Outcome) -> None:
    weights = blocks(outcome, 5, 3)[0]
    assert_weights_equal_resamples(outcome, weights, float(outcome.known_score[0]))


def test_the_same_on_a_larger_outcome_with_and_without_ties() -> None:
    for decimals in (None, 1):
        outcome = simulated(decimals=decimals)
        assert_weights_equal_resamples(outcome, blocks(outcome, 20, 0)[0], 0.5)


def test_every_generator_keeps_its_number_of_images() -> None:
    outcome = simulated()
    found = blocks(outcome, BLOCK + 7, 0)
    assert [len(block) for block in found] == [BLOCK, 7]
    weights = np.concatenate(found)
    for rows in outcome.strata():
        assert np.all(weights[:, rows].sum(axis=1) == len(rows))
    # multinomial: mean 1, variance 1 - 1/n, and not the same draw twice
    assert weights.mean() == 1.0
    assert weights.var() == pytest.approx(1.0, abs=0.05)
    assert len(np.unique(weights, axis=0)) == len(weights)


def test_the_seed_decides_and_a_short_run_begins_a_long_one() -> None:
    outcome = simulated()
    long = np.concatenate(blocks(outcome, 100, 1))
    short = np.concatenate(blocks(outcome, 40, 1))
    assert np.array_equal(long[:40], short)
    assert not np.array_equal(long[:40], np.concatenate(blocks(outcome, 40, 2)))


def test_runs_on_the_same_images_meet_the_same_resamples() -> None:
    one, other = simulated(seed=0), simulated(seed=1)
    for a, b in zip(blocks(one, 50, 0), blocks(other, 50, 0), strict=True):
        assert np.array_equal(a, b)
    shared = Resamples(one, 50)
    together = replicate([one, other], [0.5, 0.7], METRICS, shared)
    alone = replicate([other], [0.7], METRICS, Resamples(other, 50))
    for name in METRICS:
        assert np.array_equal(together.values[name][:, 1], alone.values[name][:, 0], equal_nan=True)
        assert np.array_equal(together.each[name][1:], alone.each[name], equal_nan=True)


def test_weights_that_are_too_large_to_keep_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = blocks(simulated(), 40, 3)
    monkeypatch.setattr(resampling, "_KEPT_BYTES", 0)
    resamples = Resamples(simulated(), 40, 3)
    for _ in range(2):
        for a, b in zip(resamples.blocks(), kept, strict=True):
            assert np.array_equal(a, b)
    assert not resamples._kept


def test_seed_noise_is_students_t_times_the_standard_error() -> None:
    each = np.array([0.4, 0.5, 0.6])
    values = np.broadcast_to(each, (20_000, 3))
    found = with_seed_noise(values, each, seed=0)
    low, high = np.quantile(found, [0.1, 0.9])
    expected = 1.8856 * 0.1 / np.sqrt(3)  # 90 % quantile of t with 2 degrees of freedom
    assert (low, high) == pytest.approx((0.5 - expected, 0.5 + expected), abs=0.004)
    assert found.min() >= 0
    assert found.max() <= 1
    per_generator = with_seed_noise(np.stack([values, values / 2], axis=2), np.stack([each, each / 2], axis=1), seed=0)
    np.testing.assert_array_equal(per_generator[:, 0], found)
    assert per_generator.shape == (20_000, 2)


def test_one_seed_and_equal_seeds_add_nothing() -> None:
    values = np.random.default_rng(0).random((50, 1))
    np.testing.assert_array_equal(with_seed_noise(values, np.array([0.5]), 0), values[:, 0])
    same = with_seed_noise(np.repeat(values, 3, axis=1), np.full(3, 0.5), 0)
    np.testing.assert_allclose(same, values[:, 0], rtol=1e-12)


def test_refusals() -> None:
    outcome = simulated()
    with pytest.raises(ValueError, match="at least 1 replicate"):
        Resamples(outcome, 0)
    once = Resamples(outcome, 1)
    with pytest.raises(ValueError, match="one threshold"):
        replicate([outcome], [], METRICS, once)
    with pytest.raises(RunError, match="same images"):
        replicate([outcome, simulated((60, 50, 39))], [0.0, 0.0], METRICS, once)
    with pytest.raises(ValueError, match="none was given"):
        replicate([outcome], [None], METRICS, once)
    with pytest.raises(ValueError, match="NaN"):
        Tally(outcome, math.nan)
