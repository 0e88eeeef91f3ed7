"""Co-occurrences of high-pass residuals: which small differences of pixels follow each other (rich models).

Residuals and truncation follow Fridrich and Kodovsky (IEEE TIFS 7, 2012), reduced to six residuals, three pixels. What
a generator leaves in its pixels shows in them even where the power of a frequency says nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

MINIMUM_SIZE = 16
TRUNCATION = 2
"""Residuals are rounded to -2..2 steps."""
STEPS = (1.0, 2.5)
"""Widths of a step in grey levels, for residuals whose central coefficient is 1."""
LEVELS = 2 * TRUNCATION + 1
PLANES = ("green", "red minus green", "blue minus green")
CHUNK = 32

# Whole numbers, so that a tie at half a step is one on every processor; the divisor comes with the step.
_SQUARE_3 = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]])
_SQUARE_5 = np.array(
    [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
)
_FIRST, _SECOND = 1, 2


def co_occurrences(images: np.ndarray, workers: int = 1) -> np.ndarray:
    """Square roots of the shares of 3-pixel patterns: uint8 (N, S, S, 3), S >= 16 -> float32 (N, 3, 12, 39).

    Planes are G, R - G and B - G. Each step width has six histograms: of first and of second differences, along
    their own direction and across it, and of the 3x3 and the 5x5 square residual. Horizontal and vertical patterns are
    counted together, as are patterns, mirror images and negatives: a turned, mirrored or inverted picture comes
    from the same generator.
    """
    out = np.empty((len(images), len(PLANES), 6 * len(STEPS), len(_classes()[1])), np.float32)

    def compute(start: int) -> None:
        for i, image in enumerate(images[start : start + CHUNK], start):
            for plane, values in enumerate(_planes(image)):
                out[i, plane] = _histograms(values)

    starts = range(0, len(images), CHUNK)
    if workers == 1:
        for start in starts:
            compute(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(compute, starts))
    return out


def _planes(image: np.ndarray) -> np.ndarray:
    """G, R - G, B - G: int32 (3, S, S)."""
    r, g, b = np.moveaxis(image.astype(np.int32), -1, 0)
    return np.stack([g, r - g, b - g])


def _histograms(plane: np.ndarray) -> np.ndarray:
    """(12, 39): per step six histograms."""
    pairs = [
        (_difference(plane), _difference(plane.T), _FIRST),
        (_second_difference(plane), _second_difference(plane.T), _SECOND),
    ]
    squares = [(_filtered(plane, kernel), -int(kernel.min())) for kernel in (_SQUARE_3, _SQUARE_5)]
    rows = []
    for step in STEPS:
        for residual, turned, divisor in pairs:
            a, b = _rounded(residual, divisor * step), _rounded(turned, divisor * step)
            rows += [_shares([a, b]), _shares([a.T, b.T])]
        for residual, divisor in squares:
            rounded = _rounded(residual, divisor * step)
            rows.append(_shares([rounded, rounded.T]))
    return np.sqrt(np.stack(rows))


def _difference(plane: np.ndarray) -> np.ndarray:
    return plane[:, 1:] - plane[:, :-1]


def _second_difference(plane: np.ndarray) -> np.ndarray:
    return 2 * plane[:, 1:-1] - plane[:, :-2] - plane[:, 2:]


def _filtered(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with a square kernel, where it fits."""
    side = len(kernel)
    height, width = plane.shape[0] - side + 1, plane.shape[1] - side + 1
    total = np.zeros((height, width), np.int32)
    for y in range(side):
        for x in range(side):
            total += int(kernel[y, x]) * plane[y : y + height, x : x + width]
    return total


def _rounded(residual: np.ndarray, step: float) -> np.ndarray:
    """int64, 0..4: the residual in steps, rounded and truncated."""
    return (np.clip(np.rint(residual / step), -TRUNCATION, TRUNCATION) + TRUNCATION).astype(np.int64)


def _shares(residuals: list[np.ndarray]) -> np.ndarray:
    """(39,): shares of the classes of horizontal triples."""
    counts = np.zeros(LEVELS**3, np.int64)
    for r in residuals:
        triples = (r[:, :-2] * LEVELS + r[:, 1:-1]) * LEVELS + r[:, 2:]
        counts += np.bincount(triples.ravel(), minlength=LEVELS**3)
    classes, _ = _classes()
    merged = np.bincount(classes, weights=counts)
    return merged / merged.sum()


@cache
def _classes() -> tuple[np.ndarray, np.ndarray]:
    """Class of every triple (125,), and the size of every class: a triple, its mirror image and their negatives."""
    codes = np.arange(LEVELS**3)
    a, b, c = codes // LEVELS**2, codes // LEVELS % LEVELS, codes % LEVELS
    top = LEVELS - 1
    forms = [(a, b, c), (c, b, a), (top - a, top - b, top - c), (top - c, top - b, top - a)]
    smallest = np.min([(x * LEVELS + y) * LEVELS + z for x, y, z in forms], axis=0)
    _, classes, sizes = np.unique(smallest, return_inverse=True, return_counts=True)
    return classes, sizes
