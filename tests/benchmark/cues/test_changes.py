from __future__ import annotations

import numpy as np
import pytest

from osbench.benchmark.cues.changes import CUTOFFS, TREATMENTS, hybrid, partners


def waves(cycles: float, size: int = 32) -> np.ndarray:
    """One picture of a horizontal cosine, uint8 (1, size, size, 3)."""
    level = 128 + 60 * np.cos(2 * np.pi * cycles * np.arange(size) / size)
    return np.repeat(np.broadcast_to(level, (size, size))[..., None], 3, axis=2).astype(np.uint8)[None]


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_a_hybrid_has_the_slow_part_of_one_and_the_fast_part_of_the_other(cutoff: float) -> None:
    slow, fast = waves(1), waves(12)
    mixed = hybrid(slow, fast, cutoff).astype(float)
    np.testing.assert_allclose(mixed, slow.astype(float) + fast - 128, atol=2)
    turned = hybrid(fast, slow, cutoff).astype(float)
    assert np.abs(turned - 128).max() < 3  # what is left of both: their mean


def test_a_picture_is_its_own_hybrid() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    np.testing.assert_array_equal(hybrid(pixels, pixels, 0.125), pixels)


def test_every_treatment_keeps_shape_and_type_and_most_undo_themselves() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    for name, change in TREATMENTS.items():
        changed = change(pixels)
        assert (changed.shape, changed.dtype) == (pixels.shape, np.uint8), name
        assert (changed == pixels).all() == (name == "as they are"), name
    for name in ("mirrored", "upside down", "negative"):
        np.testing.assert_array_equal(TREATMENTS[name](TREATMENTS[name](pixels)), pixels)
    grey = TREATMENTS["grey"](pixels)
    assert (grey == grey[..., :1]).all()
    np.testing.assert_array_equal(TREATMENTS["quarter turn"](pixels)[0], np.rot90(pixels[0]))


def test_partners_are_of_another_class_and_show_another_scene() -> None:
    labels = np.repeat([0, 1, 2], 10)
    groups = np.tile([f"scene {i}" for i in range(10)], 3)
    found = partners(labels, groups)
    assert (labels[found] != labels).all()
    assert (groups[found] != groups).all()
    assert (partners(labels, groups) == found).all()
    one_scene = partners(np.array([0, 1]), np.array(["a", "a"]))
    assert one_scene.tolist() == [1, 0]
