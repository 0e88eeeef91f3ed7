"""The probability of being the best."""

from __future__ import annotations

import numpy as np
import pytest

from osbench.benchmark.metrics.best import probability_best
from osbench.benchmark.metrics.paired import Side


def side(value: float, noise: np.ndarray, seeds: tuple[float, ...] = (0.0,)) -> Side:
    each = value + np.array(seeds)
    return Side(each, each.mean() + noise)


def test_equals_share_and_the_clear_winner_takes_all() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, (3, 1000))
    shared = probability_best([side(0.5, noise[0]), side(0.5, noise[1]), side(0.5, noise[2])])
    assert shared == pytest.approx([1 / 3] * 3, abs=0.06)
    assert probability_best([side(0.9, noise[0]), side(0.5, noise[1])]) == pytest.approx([1, 0])
    assert probability_best([side(0.5, noise[0]), side(0.5, noise[0])]) == pytest.approx([0.5, 0.5])
    assert probability_best([side(0.5, noise[0])]) == pytest.approx([1])
    assert probability_best([]).shape == (0,)


def test_of_two_it_is_the_normal_law_of_their_difference() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.03, (2, 4000))
    found = probability_best([side(0.53, noise[0]), side(0.5, noise[1])])
    # P(N(0.03, 2 * 0.03^2) > 0) = Phi(0.7071)
    assert found[0] == pytest.approx(0.760, abs=0.03)
    assert found.sum() == pytest.approx(1)


def test_what_moves_together_is_told_apart_and_seeds_blur_it() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(0, 0.05, 1000)
    assert probability_best([side(0.52, common), side(0.5, common)])[0] == 1
    seeds = (-0.05, 0.0, 0.05)
    assert 0.5 < probability_best([side(0.52, common, seeds), side(0.5, common, seeds)])[0] < 0.9


def test_undefined_values() -> None:
    noise = np.zeros(10)
    with pytest.raises(ValueError, match="defined estimate"):
        probability_best([side(float("nan"), noise), side(0.5, noise)])
    assert np.isnan(probability_best([side(0.5, np.full(10, np.nan)), side(0.4, noise)])).all()
