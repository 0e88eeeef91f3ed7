from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.generation.training.pictures import Pictures
from osbench.generation.training.stand_in import HELD_OUT, stand_in_pictures


def ramp() -> Pictures:
    """Two pictures whose red channel is the column and whose green channel is the row."""
    y, x = np.mgrid[0:40, 0:80]
    pixels = np.stack([np.stack([x, y, np.full_like(x, 200 * i)], 2) for i in range(2)]).astype(np.uint8)
    return Pictures(pixels, np.array([False, True]), np.array([1, 0]), ("a", "b"))


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 48), st.integers(0, 2**31), st.booleans())
def test_crops_are_upright_squares_of_one_picture(size: int, seed: int, held_out: bool) -> None:
    crops, labels = ramp().crops(size, 6, seed, held_out=held_out)
    assert crops.shape == (6, size, size, 3)
    assert crops.dtype == np.uint8
    assert (labels == (0 if held_out else 1)).all()
    assert (crops[..., 2] == (200 if held_out else 0)).all()
    rows, columns = crops[..., 1].astype(int), crops[..., 0].astype(int)
    assert (np.diff(rows, axis=1) >= 0).all()  # never upside down
    assert (np.diff(columns, axis=2) >= 0).all(axis=(1, 2)).tolist() == (columns[:, 0, -1] > columns[:, 0, 0]).tolist()
    tall, wide = rows[:, -1, 0] - rows[:, 0, 0], abs(columns[:, 0, -1] - columns[:, 0, 0])
    assert (abs(tall - wide) <= 2).all()  # not stretched
    assert (tall >= 0.5 * 40 - 2).all()


def test_crops_follow_the_seed() -> None:
    a, b, c = (ramp().crops(16, 10, seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_stand_ins_are_pictures() -> None:
    pictures = stand_in_pictures(32, count=20)
    assert pictures.pixels.shape == (20, 32, 64, 3)
    assert pictures.held_out.sum() == HELD_OUT
    assert np.array_equal(pictures.pixels, stand_in_pictures(32, count=20).pixels)
    flat = pictures.pixels.reshape(20, -1).astype(float)
    assert len(np.unique(flat, axis=0)) == 20
    assert (flat.std(1) > 15).all()
