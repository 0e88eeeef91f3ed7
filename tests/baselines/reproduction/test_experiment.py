"""Verdicts, and a printed number beside a measured one."""

import math

import pytest
from osbench.baselines.reproduction.experiment import beside, verdict
from osbench.benchmark.metrics.intervals import Interval


def interval(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate, low, high, 0.95, "images", 100, 0)


@pytest.mark.parametrize(
    ("published", "low", "high", "expected"),
    [
        (0.1, 0.01, 0.2, "agrees"),
        (-0.1, -0.2, -0.01, "agrees"),
        (0.1, -0.2, -0.01, "contradicts"),
        (-0.1, 0.01, 0.2, "contradicts"),
        (0.1, -0.01, 0.2, "cannot tell"),
        (0.1, 0.0, 0.2, "cannot tell"),
        (0.0, 0.01, 0.2, "cannot tell"),
        (None, 0.01, 0.2, "cannot tell"),
        (0.1, math.nan, math.nan, "cannot tell"),
    ],
)
def test_a_verdict_compares_directions_only(published, low, high, expected):
    assert verdict(published, low, high) == expected


def test_difference_is_ours_minus_printed():
    found = beside(0.868, interval(0.7, 0.6, 0.8))
    assert found == {"published": 0.868, "reproduced": 0.7, "low": 0.6, "high": 0.8, "difference": -0.168}
    assert beside(None, interval(0.7, 0.6, 0.8))["difference"] is None
    assert beside(0.5, interval(math.nan, math.nan, math.nan)) == {
        "published": 0.5,
        "reproduced": None,
        "low": None,
        "high": None,
        "difference": None,
    }
