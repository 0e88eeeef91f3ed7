from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.generation.training.distance import sliced_wasserstein

pytestmark = pytest.mark.numeric


def images(seed: int, n: int = 12, blur: bool = False) -> torch.Tensor:
    x = torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) / 3
    return torch.nn.functional.avg_pool2d(x, 5, 1, 2) if blur else x


def test_order_of_images_does_not_matter() -> None:
    a, b = images(0), images(1)
    assert sliced_wasserstein(a.flip(0), b) == pytest.approx(sliced_wasserstein(a, b), rel=1e-5)


def test_two_draws_of_one_kind_are_nearer_than_two_kinds() -> None:
    same = sliced_wasserstein(images(0), images(1))
    other = sliced_wasserstein(images(0, blur=True), images(1))
    assert 0 < 3 * same < other


def test_a_set_and_itself_differ_by_the_choice_of_patches_which_more_images_make_up_for() -> None:
    few, many = images(0, n=8), images(0, n=256)
    assert 0 < 3 * sliced_wasserstein(many, many) < sliced_wasserstein(few, few)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 0.4), st.floats(1.1, 2.0))
def test_grows_with_noise(amount: float, factor: float) -> None:
    a, noise = images(2), images(3)
    assert sliced_wasserstein(a + factor * amount * noise, a) > sliced_wasserstein(a + amount * noise, a)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.25, 4.0))
def test_same_scale_of_both_sets_changes_nothing(scale: float) -> None:
    a, b = images(4), images(5)
    assert sliced_wasserstein(scale * a, scale * b) == pytest.approx(sliced_wasserstein(a, b), rel=1e-3)


def test_brightness_counts_on_the_coarsest_level_alone() -> None:
    """The finer levels are differences: a constant shift leaves them, and moves the coarsest by |shift . direction|."""
    a = images(6)
    assert sliced_wasserstein(a + 0.5, a, levels=3) > 100
    g = torch.Generator().manual_seed(0)
    flat, shifted = torch.zeros(4, 3, 8, 8), torch.zeros(4, 3, 8, 8)
    flat[::2] = 1.0
    shifted[::2] = 1.0
    shifted += 0.25
    for _ in range(64):  # the same draws as inside: 16 positions of two numbers for each set, then directions
        torch.randint(0, 2, (1,), generator=g)
    directions = torch.nn.functional.normalize(torch.randn(147, 128, generator=g), dim=0)
    scale = torch.cat([shifted.flatten(1)] * 16).std()
    expected = 1000 * (0.25 * directions.sum(0) / scale).abs().mean().item()
    assert sliced_wasserstein(flat, shifted, levels=1) == pytest.approx(expected, rel=0.02)


def test_follows_its_seed() -> None:
    a, b = images(7), images(8)
    assert sliced_wasserstein(a, b, seed=1) == sliced_wasserstein(a, b, seed=1) != sliced_wasserstein(a, b, seed=2)
