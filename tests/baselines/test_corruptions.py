"""The corruptions change images as they say: more with every severity, reproducibly, at any size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.corruptions import CORRUPTIONS, SEVERITIES, corrupt, corrupt_at_random


def textured(size: int, seed: int = 0) -> np.ndarray:
    """uint8 (size, size, 3) with detail at every scale and all contrasts."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    waves = np.sin(x / 1.5) * np.cos(y / 3.0) + np.sin((x + y) / 7.0)
    return (128 + 40 * waves[..., None] + rng.normal(0, 20, (size, size, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_orders_the_damage(name):
    """Mean squared error against the original grows with the severity (averaged over images and draws)."""
    images = [textured(48, seed) for seed in range(4)]
    damage = [
        np.mean(
            [
                (corrupt(image, name, severity, np.random.default_rng(i)).astype(float) - image) ** 2
                for i, image in enumerate(images)
            ]
        )
        for severity in SEVERITIES
    ]
    assert damage[0] > 0
    assert (np.diff(damage) > 0).all(), damage


@given(name=st.sampled_from(sorted(CORRUPTIONS)), size=st.integers(32, 80), severity=st.sampled_from(SEVERITIES))
@settings(max_examples=60, deadline=None)
def test_any_size_and_the_seed_decides(name, size, severity):
    image = textured(size)
    a, b = (corrupt(image, name, severity, np.random.default_rng(3)) for _ in range(2))
    assert a.shape == image.shape
    assert a.dtype == np.uint8
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["defocus-blur", "motion-blur", "glass-blur", "zoom-blur", "elastic", "pixelate"])
def test_blurs_and_warps_leave_flat_images_alone(name):
    flat = np.full((40, 40, 3), 77, np.uint8)
    np.testing.assert_array_equal(corrupt(flat, name, 5, np.random.default_rng(0)), flat)


def test_motion_is_along_its_line():
    """A vertical edge under a blur has its mean row unchanged in sum, whatever the direction."""
    edge = np.zeros((41, 41, 3), np.uint8)
    edge[:, 20] = 255
    blurred = corrupt(edge, "motion-blur", 5, np.random.default_rng(1)).astype(float)
    assert blurred.sum() == pytest.approx(edge.astype(float).sum(), rel=0.02)


def test_noise_has_the_variance_it_says():
    grey = np.full((200, 200, 3), 120, np.uint8)
    gaussian = corrupt(grey, "gaussian-noise", 2, np.random.default_rng(0)).astype(float)
    assert gaussian.std() == pytest.approx(12, rel=0.02)
    shot = corrupt(grey, "shot-noise", 1, np.random.default_rng(0)).astype(float)
    assert shot.std() == pytest.approx((120 * 255 / 500) ** 0.5, rel=0.02)
    impulse = corrupt(grey, "impulse-noise", 3, np.random.default_rng(0))
    assert (impulse != 120).mean() == pytest.approx(0.06, rel=0.05)


def test_the_rate_is_the_share_of_changed_images():
    images = np.stack([textured(32, seed) for seed in range(200)])
    before = images.copy()
    changed = (corrupt_at_random(images, 0.5, np.random.default_rng(0)) != images).any((1, 2, 3))
    assert 0.4 < changed.mean() < 0.6
    assert not (corrupt_at_random(images, 0.0, np.random.default_rng(0)) != images).any()
    np.testing.assert_array_equal(images, before)
