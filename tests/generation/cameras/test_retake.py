from __future__ import annotations

import itertools

import numpy as np

from osbench.generation.cameras.retake import CAMERAS, retake, retaking_cameras


def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
    return coarse.astype(np.uint8)


def test_the_content_stays_and_the_pixels_do_not() -> None:
    taken = [retake(picture(), np.random.default_rng(i)) for i in range(4)]
    for one in taken:
        assert (one.shape, one.dtype) == ((64, 64, 3), np.uint8)
        assert np.corrcoef(one.ravel(), picture().ravel())[0, 1] > 0.8
        assert (one != picture()).mean() > 0.5
    assert all((a != b).any() for a, b in itertools.pairwise(taken))


def test_the_same_draw_gives_the_same_picture() -> None:
    one, other = (retake(picture(), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_grey_stays_nearly_grey() -> None:
    """White balance and colour matrix of a camera cancel on grey: no tint gives it away."""
    grey = np.full((64, 64, 3), 120, np.uint8)
    tints = [np.ptp(retake(grey, np.random.default_rng(i)).mean((0, 1))) for i in range(6)]
    assert np.median(tints) < 12


def test_all_cameras_differ() -> None:
    assert len({camera.name for camera in retaking_cameras()}) == CAMERAS
    assert len({(c.demosaicker, c.gamma, c.luma_table) for c in retaking_cameras()}) == CAMERAS
