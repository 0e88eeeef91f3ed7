"""Counts in the smallest integers that hold them, several weightings in one addition: the same as in large ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.metrics import METRICS, PER_GENERATOR, tally
from osbench.benchmark.metrics.curves import _first_reaching
from osbench.benchmark.metrics.tally import Tally

from .reference import simulated


def values(weights: np.ndarray, threshold: float = 0.5) -> dict[str, list[Any]]:
    weighted = Tally(simulated(decimals=1), threshold, weights)
    return {name: metric.kernel(weighted).tolist() for name, metric in (METRICS | PER_GENERATOR).items()}


def drawn(total: int, replicates: int) -> np.ndarray:
    """Weights with the same sum in every row."""
    images = len(simulated())
    return np.random.default_rng(total).multinomial(total, np.full(images, 1 / images), size=replicates)


@pytest.mark.parametrize("replicates", [1, 3, 4, 8])  # 2 and 4 bytes each: alone, and several in 64 bits
@pytest.mark.parametrize(
    ("total", "kind"),
    [
        (200, np.uint16),
        (2**15 - 1, np.uint16),
        (2**15, np.uint32),
        (2**31 - 1, np.uint32),
        (2**31, np.int64),
    ],
)
def test_counts_up_to_the_largest_of_a_type_are_exact(
    total: int, kind: type, replicates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = drawn(total, replicates)
    assert Tally(simulated(), 0.5, weights).prefix("any_seen").dtype == kind
    found = values(weights)
    monkeypatch.setattr(tally, "_count_type", lambda _: np.int64)
    assert found == values(weights)


@pytest.mark.parametrize("factor", [1000, 10**8])
def test_rates_do_not_depend_on_what_an_image_counts(factor: int) -> None:
    weights = drawn(200, 4)
    expected, found = values(weights), values(weights * factor)
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-12, err_msg=name)


def test_the_layout_of_the_weights_changes_nothing() -> None:
    weights = drawn(200, 8)
    assert values(np.asfortranarray(weights)) == values(weights)
    assert values(weights.astype(np.uint8)) == values(weights)


@given(st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=5), st.integers(0, 25))
def test_the_first_row_with_enough_is_found_in_every_column(steps: list[list[int]], least: int) -> None:
    sums = np.cumsum(np.array(steps, np.uint16), axis=1).T
    expected = [np.searchsorted(column, least) for column in sums.T]
    assert _first_reaching(sums, np.full(len(steps), least)).tolist() == expected
