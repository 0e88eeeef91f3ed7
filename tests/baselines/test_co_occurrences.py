"""Co-occurrences of residuals against a literal transcription, and what they must not depend on."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.co_occurrences import STEPS, co_occurrences

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 17, 20, 3), dtype=np.uint8)[:, :, :17]


def literal(plane: np.ndarray) -> np.ndarray:
    """Every triple of every residual, one after another, merged over mirror images and negatives."""
    kernels = {
        "first": (np.array([[-1, 1]]), 1),
        "second": (np.array([[-1, 2, -1]]), 2),
        "square3": (np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]), 4),
        "square5": (
            np.array(
                [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
            ),
            12,
        ),
    }

    def residual(name: str, turned: bool, step: float) -> np.ndarray:
        p, (k, divisor) = (plane.T if turned else plane), kernels[name]
        h, w = p.shape[0] - k.shape[0] + 1, p.shape[1] - k.shape[1] + 1
        values = [[(p[y : y + k.shape[0], x : x + k.shape[1]] * k).sum() for x in range(w)] for y in range(h)]
        return np.clip([[round(Fraction(int(v)) / (divisor * Fraction(step))) for v in row] for row in values], -2, 2)

    def shares(fields: list[np.ndarray]) -> list[float]:
        counts: dict[tuple[int, ...], int] = {}
        for f in fields:
            for row in f:
                for i in range(len(row) - 2):
                    t = tuple(int(v) for v in row[i : i + 3])
                    n = tuple(-v for v in t)
                    key = min(t, t[::-1], n, n[::-1])
                    counts[key] = counts.get(key, 0) + 1
        every = sorted(
            {
                min(t, t[::-1], tuple(-v for v in t), tuple(-v for v in t)[::-1])
                for t in np.ndindex(5, 5, 5)
                for t in [tuple(int(v) - 2 for v in t)]
            }
        )
        return [counts.get(key, 0) / sum(counts.values()) for key in every]

    rows = []
    for step in STEPS:
        for name in ("first", "second"):
            a, b = residual(name, False, step), residual(name, True, step)
            rows += [shares([a, b]), shares([a.T, b.T])]
        for name in ("square3", "square5"):
            a = residual(name, False, step)
            rows.append(shares([a, a.T]))
    return np.sqrt(rows)


def test_literal_transcription() -> None:
    found = co_occurrences(IMAGES)
    assert found.shape == (3, 3, 12, 39)
    for image, features in zip(IMAGES.astype(int), found, strict=True):
        r, g, b = np.moveaxis(image, -1, 0)
        for plane, histograms in zip((g, r - g, b - g), features, strict=True):
            np.testing.assert_allclose(np.sort(histograms, axis=1), np.sort(literal(plane), axis=1), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_turned_mirrored_and_inverted_pictures_are_alike(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    expected = co_occurrences(image)
    others = (image[:, :, ::-1], image[:, ::-1], image.swapaxes(1, 2), 255 - image)
    for other in others:
        np.testing.assert_allclose(co_occurrences(np.ascontiguousarray(other)), expected, atol=1e-6)


def test_shares_add_up_to_one_and_threads_change_nothing() -> None:
    found = co_occurrences(np.tile(IMAGES, (20, 1, 1, 1)))
    assert (found**2).sum(-1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(co_occurrences(np.tile(IMAGES, (20, 1, 1, 1)), workers=2), found)
