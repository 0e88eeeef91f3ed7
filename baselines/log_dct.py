"""Log-DCT features (Frank et al., ICML 2020) of whole batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.fft import dctn

CHUNK_BYTES = 2**20
"""Pixels are transformed in pieces that stay in a core's cache from the transform to the logarithm."""


def log_dct(images: np.ndarray, eps: float = 1e-6, workers: int = 1) -> np.ndarray:
    """log(|DCT-II| + eps) per channel: uint8 (N, S, S, 3) -> float32 (N, 3, S, S), with ``workers`` threads.

    The transform is orthonormal over both axes. It is computed in float32, whose rounding is about 1e-3 at 8-bit
    pixel values; ``eps`` = 1e-6 keeps exact zeros (flat rows) finite.
    """
    n, size = len(images), images.shape[1]
    features = np.empty((n, 3, size, size), np.float32)
    step = max(1, CHUNK_BYTES // (12 * size * size))

    def transform(start: int) -> None:
        out = features[start : start + step]
        out[...] = images[start : start + step].transpose(0, 3, 1, 2)
        coefficients = np.asarray(dctn(out, type=2, norm="ortho", axes=(2, 3), overwrite_x=True))
        np.abs(coefficients, out=coefficients)
        coefficients += np.float32(eps)
        np.log(coefficients, out=out)

    if workers == 1 or n <= step:
        for start in range(0, n, step):
            transform(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(transform, range(0, n, step)))
    return features
