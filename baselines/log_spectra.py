"""Mean log power spectra of small windows: the traces of a generator, averaged over where they lie in the crop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.fft import rfft2

WINDOWS = (8, 16, 24)
"""Sides of the windows in pixels: short ones average most, long ones resolve most."""
MINIMUM_SIZE = 32
LARGE = 128
"""From crops of this side on, windows overlap by a half instead of three quarters: there are plenty."""
FLOOR = 1.0
"""Added to the power: rounding to 8 bits alone gives about 1 to 6, so that flat regions stay finite and alike."""
CHUNK = 64


def log_spectra(images: np.ndarray, workers: int = 1) -> np.ndarray:
    """Spectra of Y, Cb and Cr: uint8 (N, S, S, 3), S >= 32 -> float32 (N, 3, 275), with ``workers`` threads.

    For each window side w: log(power + 1) of every Hann-windowed, mean-free window, averaged over all windows (steps of
    w / 4, or w / 2 in large crops), and over the two mirrored frequencies (u, v) and (-u, v), because a picture and its
    mirror image come from the same generator; (w / 2 + 1)^2 numbers. A mean of logarithms, unlike the logarithm of a
    mean, is not ruled by the one window that holds an edge.
    """
    out = np.empty((len(images), 3, sum((w // 2 + 1) ** 2 for w in WINDOWS)), np.float32)

    def compute(start: int) -> None:
        planes = _luma_chroma(images[start : start + CHUNK])
        spectra = [_mean_log_power(planes, w).reshape(*planes.shape[:2], -1) for w in WINDOWS]
        out[start : start + CHUNK] = np.concatenate(spectra, axis=2)

    starts = range(0, len(images), CHUNK)
    if workers == 1:
        for start in starts:
            compute(start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(compute, starts))
    return out


def turned_alike(spectra: np.ndarray) -> np.ndarray:
    """Spectra (..., 275) of :func:`log_spectra` with (u, v) and (v, u) as one: (..., 151).

    A picture that is turned by 90 degrees has the same ones.
    """
    parts, start = [], 0
    for w in WINDOWS:
        side = w // 2 + 1
        square = spectra[..., start : start + side**2].reshape(*spectra.shape[:-1], side, side)
        rows, columns = np.triu_indices(side)
        parts.append(((square + square.swapaxes(-1, -2)) / 2)[..., rows, columns])
        start += side**2
    return np.concatenate(parts, axis=-1)


def _luma_chroma(images: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr of JPEG without the offset of 128: (N, S, S, 3) -> float32 (N, 3, S, S)."""
    r, g, b = np.moveaxis(images.astype(np.float32), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return np.stack([y, 0.564 * (b - y), 0.713 * (r - y)], axis=1)


def _mean_log_power(planes: np.ndarray, w: int) -> np.ndarray:
    """(N, C, S, S) -> (N, C, w / 2 + 1, w / 2 + 1)."""
    size = planes.shape[-1]
    hann = np.hanning(w + 2)[1:-1].astype(np.float32)
    taper = np.outer(hann, hann)
    corners = range(0, size - w + 1, w // 2 if size >= LARGE else w // 4)
    total = np.zeros((*planes.shape[:2], w, w // 2 + 1), np.float32)
    for y in corners:
        for x in corners:
            window = planes[..., y : y + w, x : x + w]
            window = window - window.mean((2, 3), keepdims=True)
            power = np.abs(np.asarray(rfft2(window * taper))) ** 2
            total += np.log(power + FLOOR)
    mean = total / len(corners) ** 2
    half = np.arange(w // 2 + 1)
    return (mean[:, :, half] + mean[:, :, -half]) / 2
