"""All pairs at one error rate: against a literal transcription, and how often they err and find."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from osbench.benchmark.metrics import max_t as module
from osbench.benchmark.metrics.max_t import max_t
from osbench.benchmark.metrics.outcome import FloatArray
from osbench.benchmark.metrics.paired import Side
from osbench.benchmark.metrics.seed_variance import seed_variance

IMAGES = 0.018
"""Standard deviation over images in the simulations, half of its variance shared by all methods."""


def simulated(means: FloatArray, deviation: FloatArray, rng: np.random.Generator, seeds: int = 3) -> list[Side]:
    """Methods with these true means whose seeds deviate like this, on one set of images."""
    n, replicates = len(means), 300

    def images(draws: int) -> FloatArray:
        return IMAGES * np.sqrt(0.5) * (rng.normal(size=draws) + rng.normal(size=(n, draws)))

    each = means[:, None] + images(1) + deviation[:, None] * rng.normal(size=(n, seeds))
    return [Side(own, own.mean() + noise) for own, noise in zip(each, images(replicates), strict=True)]


def pairs(p_values: FloatArray) -> FloatArray:
    return p_values[np.triu_indices(len(p_values), 1)]


def test_it_is_the_step_down_procedure_word_by_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWS", 60)
    sides = simulated(np.array([0.5, 0.55, 0.6, 0.8]), np.full(4, 0.03), np.random.default_rng(0))
    sides[3] = Side(np.full(3, 0.8), sides[3].values)  # seeds that agree
    rng = np.random.default_rng(np.random.SeedSequence([7, 2]))
    training = seed_variance([side.each for side in sides], 60, rng)
    normal = rng.standard_normal((60, 4))
    noise = [
        [sides[i].values[d] - sides[i].values.mean() + normal[d, i] * training.draws[d, i] ** 0.5 for i in range(4)]
        for d in range(60)
    ]
    found = {}
    for i, j in itertools.combinations(range(4), 2):
        images = np.var(sides[i].values - sides[j].values, ddof=1)
        error = (images + training.expected[i] + training.expected[j]) ** 0.5
        found[i, j] = (
            abs(sides[i].estimate - sides[j].estimate) / error,
            [abs(noise[d][i] - noise[d][j]) / error for d in range(60)],
        )
    question = sorted(found, key=lambda pair: -found[pair][0])
    expected, last = np.ones((4, 4)), 0.0
    for step, pair in enumerate(question):
        still = question[step:]
        by_chance = sum(max(found[p][1][d] for p in still) >= found[pair][0] for d in range(60))
        last = max(last, (by_chance + 1) / 61)
        expected[pair] = expected[pair[::-1]] = last
    assert max_t(sides, seed=7) == pytest.approx(expected, abs=1e-12)


def test_one_pair_that_only_images_move_is_the_test_of_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    sides = [Side(np.array([mean]), mean + 0.01 * rng.normal(size=2000)) for mean in (0.5, 0.53)]
    gaps = sides[0].values - sides[1].values
    expected = 2 * norm.sf(0.03 / gaps.std(ddof=1))
    assert max_t(sides)[0, 1] == pytest.approx(expected, abs=0.008)


def test_a_copy_of_a_method_costs_the_others_nothing() -> None:
    rng = np.random.default_rng(2)
    sides = [Side(np.array([mean]), mean + 0.02 * rng.normal(size=500)) for mean in (0.5, 0.54, 0.6)]
    alone = max_t(sides)
    crowd = max_t([*sides, *[sides[0]] * 20])
    assert crowd[:3, :3] == pytest.approx(alone, abs=1e-12)
    assert (crowd[3:, 3:] == 1).all(), "copies do not differ"


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(5)))
def test_the_order_of_the_methods_does_not_matter(order: list[int]) -> None:
    rng = np.random.default_rng(3)
    sides = [Side(np.array([0.5 + 0.02 * k]), 0.5 + 0.02 * k + 0.015 * rng.normal(size=200)) for k in range(5)]
    assert max_t([sides[k] for k in order]) == pytest.approx(max_t(sides)[np.ix_(order, order)], abs=1e-12)


def test_what_nothing_moves_differs_or_is_the_same() -> None:
    still = [Side(np.full(3, mean), np.full(10, mean)) for mean in (0.5, 0.5, 0.6)]
    found = max_t(still)
    assert found[0, 1] == 1
    assert found[0, 2] == found[1, 2] == 1 / (module.DRAWS + 1)


def test_too_few_resamples_decide_nothing_and_odd_sides_are_refused() -> None:
    one, other = (Side(np.full(3, mean), np.array([mean])) for mean in (0.5, 0.6))
    assert (max_t([one, other]) == 1).all()
    assert max_t([]).shape == (0, 0)
    assert max_t([one]).tolist() == [[1.0]]
    with pytest.raises(ValueError, match="same resamples"):
        max_t([one, Side(np.full(3, 0.5), np.zeros(4))])
    with pytest.raises(ValueError, match="defined estimate"):
        max_t([one, Side(np.array([np.nan]), np.array([0.5]))])


def test_undefined_resamples_are_left_out() -> None:
    sides = [
        Side(np.array([m]), m + 0.01 * np.random.default_rng(k).normal(size=200)) for k, m in enumerate((0.5, 0.52))
    ]
    holed = [Side(side.each, side.values.copy()) for side in sides]
    holed[0].values[::2] = np.nan
    halved = [Side(side.each, side.values[1::2]) for side in sides]
    assert max_t(holed)[0, 1] == max_t(halved)[0, 1]


@pytest.mark.slow
def test_most_true_differences_of_a_large_board_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """66 entries, 3 seeds, AUC .30 to .95: every pair differs, Holm's correction of Welch's tests finds .27 of them."""
    monkeypatch.setattr(module, "DRAWS", 1000)
    power = {}
    for entries in (8, 66):
        rng = np.random.default_rng(entries)
        means = 0.95 - 0.65 * np.linspace(0, 1, entries)
        boards = [simulated(means, np.full(entries, 0.037), rng) for _ in range(20)]
        power[entries] = np.mean([np.mean(pairs(max_t(board)) <= 0.05) for board in boards])
    assert power[66] >= 0.6
    assert power[8] >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("entries", [3, 8, 66])
@pytest.mark.parametrize("unequal", [0.0, 0.5])
def test_equal_methods_are_seldom_called_different(
    entries: int, unequal: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Family-wise error of equally good methods whose seeds deviate alike, or unequally (log-normal)."""
    monkeypatch.setattr(module, "DRAWS", 600)
    rng = np.random.default_rng([entries, int(10 * unequal)])
    trials, wrong = {3: 1000, 8: 1000, 66: 150}[entries], 0
    for _ in range(trials):
        deviation = 0.037 * np.exp(unequal * rng.normal(size=entries))
        wrong += bool((pairs(max_t(simulated(np.full(entries, 0.7), deviation, rng))) <= 0.05).any())
    assert wrong / trials <= (0.06 if unequal == 0 or entries == 66 else 0.08)


@pytest.mark.slow
def test_equal_pairs_among_different_ones_are_seldom_called_different(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven levels with two methods each: what is found elsewhere must not loosen the rate for the equal ones."""
    monkeypatch.setattr(module, "DRAWS", 600)
    rng = np.random.default_rng(4)
    level = np.repeat(np.linspace(0.3, 0.95, 11), 2)
    same = (level[:, None] == level[None, :])[np.triu_indices(22, 1)]
    trials, wrong, found = 300, 0, []
    for _ in range(trials):
        different = pairs(max_t(simulated(level, np.full(22, 0.03), rng))) <= 0.05
        wrong += bool(different[same].any())
        found.append(different[~same].mean())
    assert wrong / trials <= 0.06
    assert np.mean(found) >= 0.6
