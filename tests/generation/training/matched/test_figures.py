from __future__ import annotations

import math

import numpy as np
import pytest

from osbench.generation.training.matched.figures import figures


def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    originals = rng.integers(0, 256, (2, 5, 6, 3)).astype(np.uint8)
    rendered = np.clip(originals + rng.integers(-20, 21, originals.shape), 0, 255).astype(np.uint8)
    return rendered, originals


def test_against_sums_written_out() -> None:
    rendered, originals = pair()
    luma = chroma = steps = true_steps = 0.0

    def ycc(pixel: np.ndarray) -> tuple[float, float, float]:
        r, g, b = map(float, pixel)
        y = 0.299 * r + 0.587 * g + 0.114 * b
        return y, (b - y) / 1.772, (r - y) / 1.402

    count, height, width, _ = originals.shape
    for n in range(count):
        for i in range(height):
            for j in range(width):
                (y, u, v), (ty, tu, tv) = ycc(rendered[n, i, j]), ycc(originals[n, i, j])
                luma += (y - ty) ** 2
                chroma += ((u - tu) ** 2 + (v - tv) ** 2) / 2
                for di, dj, pairs in ((1, 0, (height - 1) * width), (0, 1, height * (width - 1))):
                    if i + di < height and j + dj < width:
                        steps += abs(ycc(rendered[n, i + di, j + dj])[0] - y) / pairs
                        true_steps += abs(ycc(originals[n, i + di, j + dj])[0] - ty) / pairs
    pixels = count * height * width
    found = figures(rendered, originals)
    assert found.luma == pytest.approx(10 * math.log10(255**2 / (luma / pixels)))
    assert found.chroma == pytest.approx(10 * math.log10(255**2 / (chroma / pixels)))
    assert found.sharpness == pytest.approx(steps / true_steps)


def test_grey_noise_is_no_matter_of_chroma() -> None:
    _, originals = pair()
    grey = np.clip(originals.astype(int) // 2 + 30, 0, 255).astype(np.uint8)
    noise = np.random.default_rng(1).integers(-9, 10, grey.shape[:3])[..., None]
    found = figures((grey + noise).astype(np.uint8), grey)
    assert found.chroma > found.luma + 60
