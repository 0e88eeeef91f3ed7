"""Give pictures of different makers the very same low frequencies."""

from __future__ import annotations

import numpy as np


def swap_low_frequencies(pictures: np.ndarray, originals: np.ndarray, cutoff: float) -> np.ndarray:
    """Replace everything below ``cutoff`` by that of the originals.

    Parameters
    ----------
    pictures, originals : np.ndarray
        uint8 (N, H, W, 3).
    cutoff : float
        Radial frequency in cycles per pixel; between 0.75 and 1.25 times it one fades into the other.

    Returns
    -------
    np.ndarray
        uint8 (N, H, W, 3).
    """
    # Mirrored to twice the size: a period without an edge has no frequencies of its own.
    difference = originals.astype(np.float64) - pictures
    height, width = difference.shape[1:3]
    mirrored = np.concatenate([difference, difference[:, ::-1]], axis=1)
    mirrored = np.concatenate([mirrored, mirrored[:, :, ::-1]], axis=2)
    radius = np.hypot(np.fft.fftfreq(2 * height)[:, None], np.fft.rfftfreq(2 * width)[None, :])
    pass_band = 0.5 + 0.5 * np.cos(np.pi * np.clip(2 * (radius / cutoff - 0.75), 0, 1))
    spectrum = np.fft.rfft2(mirrored, axes=(1, 2)) * pass_band[None, :, :, None]
    low = np.fft.irfft2(spectrum, s=mirrored.shape[1:3], axes=(1, 2))[:, :height, :width]
    return np.clip(np.rint(pictures + low), 0, 255).astype(np.uint8)
