"""Luma and chroma of 8-bit pixels."""

from __future__ import annotations

import numpy as np


def luma_chroma(pixels: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr of JPEG without the offset of 128: uint8 (B, S, S, 3) -> float32 (B, 3, S, S)."""
    red, green, blue = np.moveaxis(pixels.astype(np.float32), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([luma, 0.564 * (blue - luma), 0.713 * (red - luma)], axis=1)
