"""Computed pictures for machines without the real packages, so that a training can be tried anywhere.

Hills under a sky, from a random generator. Nothing that is shipped was trained on them.
"""

from __future__ import annotations

import numpy as np

from .pictures import Pictures

COUNT = 96
HELD_OUT = 16


def stand_in_pictures(height: int, count: int = COUNT) -> Pictures:
    """``count`` pictures (height, 2 * height) of hills under a sky, the first :data:`HELD_OUT` of them held out."""
    pixels = np.stack([_hills(np.random.default_rng([1, i]), height) for i in range(count)])
    return Pictures(pixels, np.arange(count) < HELD_OUT, np.zeros(count, np.int64), ("stand-in",))


def _hills(rng: np.random.Generator, height: int) -> np.ndarray:
    width = 2 * height
    y, x = np.mgrid[0:height, 0:width][:, :, :, None] / height
    top, bottom = rng.uniform(60, 200, 3), rng.uniform(120, 240, 3)
    picture = top + (bottom - top) * y
    for depth in range(4):
        ridge = (
            0.35
            + 0.15 * depth
            + sum(rng.uniform(0, 0.12) / k * np.sin(2 * np.pi * (k * x[:1] + rng.random())) for k in (1, 2, 3, 7, 19))
        )
        colour = rng.uniform(20, 160, 3) * (0.6 + 0.4 * depth / 3)
        texture = 1 + 0.25 * rng.standard_normal((height, width, 1))
        picture = np.where(y > ridge, colour * texture * (1.2 - 0.5 * (y - ridge)), picture)
    return (picture + rng.normal(0, 2, picture.shape)).clip(0, 255).astype(np.uint8)
