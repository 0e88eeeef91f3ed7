"""Variances over seeds that methods teach each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from osbench.benchmark.metrics.outcome import FloatArray
from osbench.benchmark.metrics.seed_variance import seed_variance


def deviating(deviations: FloatArray, rng: np.random.Generator, seeds: int = 3) -> list[FloatArray]:
    return [0.5 + deviation * rng.normal(size=seeds) for deviation in deviations]


def test_many_alike_methods_pool_their_variances() -> None:
    found = seed_variance(deviating(np.full(60, 0.03), np.random.default_rng(0)), 2000, np.random.default_rng(1))
    assert found.expected == pytest.approx(np.full(60, 0.03**2 / 3), rel=0.6)
    assert np.median(found.draws) == pytest.approx(0.03**2 / 3, rel=0.25)


def test_methods_that_are_not_alike_keep_their_own() -> None:
    deviations = np.repeat([0.005, 0.1], 20)
    found = seed_variance(deviating(deviations, np.random.default_rng(0), seeds=5), 2000, np.random.default_rng(1))
    low, high = np.median(found.expected[:20]), np.median(found.expected[20:])
    assert low == pytest.approx(0.005**2 / 5, rel=1.0)
    assert high > 100 * low


def test_a_lone_method_has_about_its_own_t_distribution() -> None:
    each = [np.array([0.48, 0.5, 0.55])]
    rng = np.random.default_rng(1)
    found = seed_variance(each, 40_000, rng)
    noise = rng.standard_normal(40_000) * np.sqrt(found.draws[:, 0])
    own = t.ppf(0.9, 2) * each[0].std(ddof=1) / np.sqrt(3)
    assert np.quantile(noise, 0.9) == pytest.approx(own, rel=0.35)


def test_seeds_that_agree_have_no_variance_and_teach_nothing() -> None:
    others = deviating(np.full(6, 0.03), np.random.default_rng(0))
    alone = seed_variance(others, 50, np.random.default_rng(1))
    still = [np.full(3, 0.7), np.array([0.2])]
    found = seed_variance([*still, *others], 50, np.random.default_rng(1))
    assert (found.expected[:2] == 0).all()
    assert (found.draws[:, :2] == 0).all()
    assert found.expected[2:] == pytest.approx(alone.expected)
    assert found.draws[:, 2:] == pytest.approx(alone.draws)
    assert seed_variance(still, 5, np.random.default_rng(1)).draws.tolist() == [[0.0, 0.0]] * 5


def test_more_seeds_leave_less_of_the_mean_open() -> None:
    rng = np.random.default_rng(0)
    three, nine = (seed_variance(deviating(np.full(30, 0.03), rng, seeds=n), 500, rng).expected.mean() for n in (3, 9))
    assert nine == pytest.approx(three / 3, rel=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("law", [2.0, 8.0, np.inf])
def test_intervals_of_the_mean_cover_whatever_law_the_variances_follow(law: float) -> None:
    """The truth lies in 95 % of the intervals of twelve methods, counted over many boards."""
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(300):
        variance = 0.03**2 * (law / rng.chisquare(law, 12) if np.isfinite(law) else np.ones(12))
        each = deviating(np.sqrt(variance), rng)
        found = seed_variance(each, 1000, rng)
        noise = rng.standard_normal((1000, 12)) * np.sqrt(found.draws)
        far = np.quantile(np.abs(noise), 0.95, axis=0)
        inside.append(np.abs(np.array([own.mean() for own in each]) - 0.5) <= far)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
