"""Which methods are surely apart: the equations literally, the error rate by simulation, and what must never happen."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from osbench.benchmark.metrics import surely_above


def literal(estimates: np.ndarray, values: np.ndarray, level: float) -> np.ndarray:
    """Pair by pair, replicate by replicate."""
    n, replicates = values.shape
    spread = {(i, j): float(np.std(values[i] - values[j])) for i, j in itertools.combinations(range(n), 2)}
    largest = []
    for r in range(replicates):
        ratios = [0.0]
        for (i, j), s in spread.items():
            if s > 1e-12:
                ratios.append(abs((values[i, r] - values[j, r]) - (estimates[i] - estimates[j])) / s)
        largest.append(max(ratios))
    limit = float(np.quantile(largest, level))
    above = np.zeros((n, n), dtype=bool)
    for (i, j), s in spread.items():
        for a, b in ((i, j), (j, i)):
            above[a, b] = estimates[a] - estimates[b] > max(0.0, limit * s)
    return above


def drawn(rng: np.random.Generator, truth: np.ndarray, images: int, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of correlated scores of methods on the same images, and their paired bootstrap."""
    scores = truth[:, None] + rng.normal(size=images) + 0.5 * rng.normal(size=(len(truth), images))
    weights = rng.multinomial(images, np.full(images, 1 / images), size=replicates)
    return scores.mean(axis=1), scores @ weights.T / images


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([0.5, 0.9, 0.95]))
def test_it_is_the_literal_rule(seed: int, n: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    estimates, values = drawn(rng, rng.normal(scale=0.3, size=n), 40, 30)
    np.testing.assert_array_equal(surely_above(estimates, values, level=level), literal(estimates, values, level))


def test_equal_methods_are_seldom_called_apart() -> None:
    rng = np.random.default_rng(0)
    wrong = sum(surely_above(*drawn(rng, np.zeros(6), 120, 200)).any() for _ in range(300))
    assert wrong <= 0.08 * 300, "one joint level for all 15 pairs"


def test_pairing_tells_apart_what_single_intervals_cannot() -> None:
    rng = np.random.default_rng(1)
    estimates, values = drawn(rng, np.array([0.0, 0.2]), 150, 500)
    low, high = np.quantile(values, [0.025, 0.975], axis=1)
    assert low[1] < high[0], "the intervals overlap"
    np.testing.assert_array_equal(surely_above(estimates, values), [[False, False], [True, False]])


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.floats(0, 1)))
def test_nobody_lies_above_himself_or_above_who_lies_above_him(values: np.ndarray) -> None:
    above = surely_above(values.mean(axis=1), values)
    assert not (above & above.T).any()


def test_methods_without_any_spread_are_compared_as_they_are() -> None:
    values = np.repeat([[0.5], [0.6], [0.5]], 4, axis=1)
    assert surely_above([0.5, 0.6, 0.5], values).tolist() == [[False] * 3, [True, False, True], [False] * 3]


def test_undefined_estimates_and_replicates_take_no_part() -> None:
    rng = np.random.default_rng(2)
    estimates, values = drawn(rng, np.array([0.0, 3.0, 1.0]), 50, 60)
    whole = surely_above(estimates[:2], values[:2])
    estimates[2] = math.nan
    above = surely_above(estimates, values)
    np.testing.assert_array_equal(above[:2, :2], whole)
    assert not above[2].any()
    assert not above[:, 2].any()
    values[0, ::2] = math.nan
    np.testing.assert_array_equal(
        surely_above(estimates[:2], values[:2]), surely_above(estimates[:2], values[:2, 1::2])
    )
    values[0] = math.nan
    assert not surely_above(estimates[:2], values[:2]).any()


@pytest.mark.parametrize(
    ("estimates", "values", "level"),
    [([0.5], [[0.5]], 1.0), ([0.5], [[0.5], [0.5]], 0.95), ([[0.5]], [[0.5]], 0.95), ([0.5], [0.5], 0.95)],
)
def test_wrong_input(estimates: list, values: list, level: float) -> None:
    with pytest.raises(ValueError, match=r"level|replicates"):
        surely_above(estimates, values, level=level)
