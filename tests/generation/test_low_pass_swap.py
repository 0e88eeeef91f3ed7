from __future__ import annotations

import numpy as np

from osbench.generation.low_pass_swap import swap_low_frequencies


def waves(low: float, high: float) -> np.ndarray:
    """uint8 (1, 64, 64, 3): a slow wave (1/64 cycles per pixel) and a fast one (1/4)."""
    x = np.arange(64) + 0.5
    picture = 128 + low * np.cos(2 * np.pi * x / 64)[None, :] + high * np.cos(2 * np.pi * x / 4)[:, None]
    return np.rint(picture)[None, :, :, None].repeat(3, 3).clip(0, 255).astype(np.uint8)


def test_the_slow_wave_comes_from_the_original_and_the_fast_one_stays() -> None:
    swapped = swap_low_frequencies(waves(0, 40), waves(50, 0), 0.06)
    assert np.abs(swapped.astype(int) - waves(50, 40)).max() <= 3


def test_a_picture_swapped_with_itself_stays() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3)).astype(np.uint8)
    np.testing.assert_array_equal(swap_low_frequencies(picture, picture, 0.1), picture)


def test_the_mean_colour_becomes_the_originals() -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(60, 120, (3, 32, 32, 3)).astype(np.uint8)
    original = rng.integers(100, 200, (3, 32, 32, 3)).astype(np.uint8)
    swapped = swap_low_frequencies(picture, original, 0.06)
    np.testing.assert_allclose(swapped.mean((1, 2)), original.mean((1, 2)), atol=0.5)
