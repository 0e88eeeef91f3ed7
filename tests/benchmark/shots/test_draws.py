from __future__ import annotations

import numpy as np
import pytest

from osbench.benchmark.shots.draws import Cell, Draws, bounds, mean_cell


def test_every_replicate_draws_as_many_groups_as_there_are() -> None:
    draws = Draws(list("abcd"), 2, 50, 0)
    weights = np.concatenate(list(draws.weights(list("aabbccdd"))))
    assert weights.shape == (50, 8)
    assert (weights[:, ::2] == weights[:, 1::2]).all()  # all images of a group together
    assert (weights[:, ::2].sum(axis=1) == 4).all()
    again = np.concatenate(list(Draws(list("abcd"), 2, 50, 0).weights(list("dcba"))))
    assert (again == weights[:, [6, 4, 2, 0]]).all()


def test_one_repeat_adds_nothing_and_equal_ones_neither() -> None:
    draws, resampled = Draws([], 3, 40, 1), np.linspace(0.4, 0.6, 40)
    assert draws.mean({0: Cell(0.5, resampled)}).tolist() == pytest.approx(resampled.tolist())
    same = {repeat: Cell(0.5, resampled) for repeat in range(3)}
    assert draws.mean(same).tolist() == pytest.approx(resampled.tolist())


def test_what_repeats_change_is_drawn_from_their_standard_error() -> None:
    values = [0.3, 0.5, 0.6, 0.4, 0.7]
    cells = {repeat: Cell(value, np.full(20_000, value)) for repeat, value in enumerate(values)}
    found = Draws([], 5, 20_000, 2).mean(cells)
    low, high = bounds(found)
    half = 2.776445 * np.std(values, ddof=1) / np.sqrt(5)  # Student's t with 4 degrees of freedom
    assert found.mean() == pytest.approx(0.5, abs=0.01)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_the_mean_over_seeds() -> None:
    found = mean_cell([Cell(0.2, np.array([0.1, 0.3])), Cell(0.4, np.array([0.5, 0.5]))])
    assert found.value == pytest.approx(0.3)
    assert found.resampled.tolist() == pytest.approx([0.3, 0.4])


def test_bounds_know_infinity() -> None:
    assert bounds(np.array([1.0, 2.0, np.inf])) == (1.0, np.inf)


def test_intervals_cover() -> None:
    """Characters differ in difficulty and repeats in luck: 95 % intervals of the mean hold what they promise."""
    rng, groups, inside = np.random.default_rng(5), [str(i) for i in range(10)], []
    for trial in range(600):
        difficulty, luck = rng.normal(0, 0.1, 10), rng.normal(0, 0.03, 5)
        draws, cells = Draws(groups, 5, 200, trial), {}
        counts = np.concatenate(list(draws.weights(groups)))
        for repeat in range(5):
            rates = (0.5 + difficulty + luck[repeat]).clip(0, 1)
            shares = rng.binomial(30, rates) / 30  # of 30 images of each character
            cells[repeat] = Cell(float(shares.mean()), counts @ shares / 10)
        low, high = bounds(draws.mean(cells))
        inside.append(low <= 0.5 <= high)
    assert 0.93 <= np.mean(inside) <= 0.985
