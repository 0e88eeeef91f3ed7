"""How far apart the features of two pictures are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One minus the cosine of the angle between rows."""
    return _one_minus_product(a, b)


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One minus the correlation coefficient of rows."""
    return _one_minus_product(a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True))


def euclidean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Root of the sum of squared differences."""
    squares = (a**2).sum(-1)[..., :, None] + (b**2).sum(-1)[..., None, :] - 2 * _products(a, b)
    return np.sqrt(np.maximum(squares, 0))


def manhattan(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum of absolute differences."""
    return np.stack([np.abs(a - b[..., i, None, :]).sum(-1) for i in range(b.shape[-2])], axis=-1)


DISTANCES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cosine": cosine,
    "correlation": correlation,
    "euclidean": euclidean,
    "manhattan": manhattan,
}
"""Name -> distances (..., N, M) between rows (..., N, D) and rows (..., M, D), in float64."""


def distances(name: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances between features.

    Parameters
    ----------
    name : str
        One of :data:`DISTANCES`.
    a, b : np.ndarray
        (..., N, D) and (..., M, D), with the same leading axes.

    Returns
    -------
    np.ndarray
        float64 (..., N, M).
    """
    return DISTANCES[name](np.asarray(a, np.float64), np.asarray(b, np.float64))


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ np.swapaxes(b, -1, -2)


def _one_minus_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12) for x in (a, b))
    return 1 - _products(a, b)
