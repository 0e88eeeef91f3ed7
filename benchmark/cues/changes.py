"""Changes of pictures that leave some cues as they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

CUTOFFS = (0.0625, 0.125, 0.25)
"""Cycles per pixel at which hybrids are divided."""


def hybrid(low: np.ndarray, high: np.ndarray, cutoff: float) -> np.ndarray:
    """Pictures with the low frequencies of some and the high frequencies of others.

    Parameters
    ----------
    low, high : numpy.ndarray
        uint8 (N, S, S, 3).
    cutoff : float
        In cycles per pixel; frequencies up to it come from ``low``.

    Returns
    -------
    numpy.ndarray
        uint8 (N, S, S, 3), rounded and clipped.
    """
    size = low.shape[1]
    vertical, horizontal = np.fft.fftfreq(size), np.fft.rfftfreq(size)
    below = (np.hypot(vertical[:, None], horizontal[None]) <= cutoff)[None, :, :, None]
    a, b = (np.fft.rfft2(part.astype(np.float32), axes=(1, 2)) for part in (low, high))
    mixed = np.fft.irfft2(np.where(below, a, b), s=(size, size), axes=(1, 2))
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


def _grey(pixels: np.ndarray) -> np.ndarray:
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat(np.rint(luma).clip(0, 255).astype(np.uint8)[..., None], 3, axis=3)


TREATMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda pixels: pixels,
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, :, ::-1]),
    "upside down": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "quarter turn": lambda pixels: np.ascontiguousarray(np.rot90(pixels, axes=(1, 2))),
    "grey": _grey,
    "colours swapped": lambda pixels: np.ascontiguousarray(pixels[..., [1, 2, 0]]),
    "negative": lambda pixels: 255 - pixels,
}
"""Name -> change of uint8 (N, S, S, 3); a trace of up-sampling survives most of them, a palette or an up does not."""


def partners(labels: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """For every picture another one, of another class and another group.

    Parameters
    ----------
    labels : numpy.ndarray
        int64 (N,), of at least two classes.
    groups : numpy.ndarray
        str (N,), empty for a picture of its own.
    seed : int
        Of the drawing.

    Returns
    -------
    numpy.ndarray
        int64 (N,), positions.
    """
    rng = np.random.default_rng(seed)
    found = np.empty(len(labels), np.int64)
    for i in range(len(labels)):
        others = (labels != labels[i]) & ((groups != groups[i]) | (groups == ""))
        # Where every other class shows this picture alone, the class is what must differ.
        choice = np.flatnonzero(others if others.any() else labels != labels[i])
        found[i] = rng.choice(choice)
    return found
