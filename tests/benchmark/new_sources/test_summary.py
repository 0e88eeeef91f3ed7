"""Means over fits; whole generators and folds are resampled."""

from __future__ import annotations

import math

import numpy as np
import pytest

from osbench.benchmark.new_sources.result import Discovered, Enrolled, Part
from osbench.benchmark.new_sources.summary import grouped_means, joined_means, mean_of


def part(fold: str, accuracy: float, found: int) -> Part:
    enrolled = (
        Enrolled("taming", 1, accuracy, 1.0, 0.8, 0.7, 0.0),
        Enrolled("taming", 10, 1.0, 1.0, 0.8, 0.8, 0.0),
        Enrolled("progan", 1, 0.0, 0.0, 0.8, 0.8, 0.1),
    )
    undefined = math.nan
    grouped = (
        Discovered(40, 2, found, 0.5, 0.75, 0.3) if found else Discovered(4, 2, 0, undefined, undefined, undefined)
    )
    return Part(fold, 0, ("taming", "progan"), 0.9, enrolled, grouped)


def test_rows_by_shots() -> None:
    one, ten = joined_means([part("a", 0.4, 2), part("b", 0.6, 3)])
    assert (one.shots, ten.shots) == (1, 10)
    assert one.accuracy.estimate == pytest.approx(0.25)
    assert (one.accuracy.low, one.accuracy.high) == pytest.approx((0.0, 0.5)), "of two generators one or the other"
    assert one.change.estimate == pytest.approx(-0.05)
    assert ten.accuracy.low == ten.accuracy.high == 1


def test_groups_of_the_fits_that_have_any() -> None:
    found = grouped_means([part("a", 0.4, 2), part("b", 0.6, 3), part("c", 0.6, 0)])
    assert found.tally == {"2": 1, "3": 1}
    assert found.right.estimate == 0.5
    assert (found.right.low, found.right.high) == (0, 1)
    assert found.images.estimate == 40
    assert found.rejected.estimate == pytest.approx(0.9)
    assert math.isnan(grouped_means([part("c", 0.6, 0)]).nmi.estimate)


def test_a_cluster_counts_as_one_value() -> None:
    """Repeating every value of a cluster narrows nothing."""
    rng = np.random.default_rng(0)
    values, names = rng.normal(size=8).tolist(), [str(i) for i in range(8)]
    once, often = mean_of(values, names), mean_of(values * 50, names * 50)
    assert once == often
    assert once.low < once.estimate < once.high
