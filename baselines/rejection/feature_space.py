"""Features short enough for covariances, neighbours and class means. Shared by the rules that look at features."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix

from ...core.errors import RunError

DIMENSIONS = 2048
"""The longest feature that is used as it is: that of ResNet-50 and Xception."""

BLOCK_BYTES = 1 << 26
"""Features are float32, sums float64: only so many bytes of rows are converted at once. 4,096 rows of 2048."""


def blocks(
    features: np.ndarray, centres: np.ndarray | None = None, labels: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Which rows, and these as float64 (B, D), of features (N, D); ``centres`` (D,) are subtracted if given, or with
    labels (N,) those of centres (K, D)."""
    step = max(1, BLOCK_BYTES // (8 * features.shape[1]))
    for start in range(0, len(features), step):
        rows = slice(start, start + step)
        block = features[rows].astype(np.float64)
        if centres is not None:
            block -= centres if labels is None else centres[labels[rows]]
        yield rows, block


def compact(features: np.ndarray) -> np.ndarray:
    """Features (N, D) of at most 2048 dimensions; longer ones are sketched, with sums in float64.

    Flattened maps can have 100,000 dimensions, whose covariance no machine holds. A count sketch (Charikar, Chen and
    Farach-Colton 2002) adds up groups of D / 2048 dimensions with fixed random signs: linear, unbiased for inner
    products, squared distances off by about sqrt(2 / 2048), 3 %.
    """
    if features.shape[1] <= DIMENSIONS:
        return features
    sketch = _sketch(features.shape[1])
    out = np.empty((len(features), DIMENSIONS), features.dtype)
    for rows, block in blocks(features):
        out[rows] = sketch.dot(np.ascontiguousarray(block.T)).T
    return out


@lru_cache(maxsize=4)
def _sketch(length: int) -> csr_matrix:
    """(2048, length), one +1 or -1 in every column, equally many in every row."""
    noise = _mix(np.arange(length, dtype=np.uint64))
    row = np.empty(length, np.int64)
    row[np.argsort(noise, kind="stable")] = np.arange(length) % DIMENSIONS
    signs = np.where(_mix(noise) >> np.uint64(63), 1.0, -1.0)
    return csr_matrix((signs, (row, np.arange(length))), shape=(DIMENSIONS, length))


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64: noise that is the same on every machine and in every version, so that saved rules stay valid."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def class_means(features: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """(K, D) float64. :class:`RunError` for a class without an image."""
    counts = np.bincount(labels, minlength=n_classes)
    if counts.min() == 0:
        raise RunError(f"class {int(counts.argmin())} has no training image; it has no mean")
    sums = np.zeros((n_classes, features.shape[1]))
    for rows, block in blocks(features):
        for k in np.unique(labels[rows]):
            sums[k] += block[labels[rows] == k].sum(0)
    return sums / counts[:, None]
