"""JPEG quantisation tables of virtual cameras: chosen by a seeded rule, not measured.

No package holds tables of real camera models, so each camera scales a base table by a factor that is no integer
quality, as makers do: either Annex K of the JPEG standard or a smooth table of its own.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

LUMA_ANNEX_K = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    float,
)
"""ITU-T T.81, table K.1."""

CHROMA_ANNEX_K = np.full((8, 8), 99.0)
"""ITU-T T.81, table K.2."""
CHROMA_ANNEX_K[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def smooth_table(start: float, slope: float, power: float, skew: float) -> np.ndarray:
    """A base table (8, 8) that grows from ``start`` at DC by ``slope`` along (u, v) ** power; ``skew`` favours rows."""
    v, u = np.mgrid[:8, :8] / 7.0
    return start + slope * ((1 + skew) * u**power + (1 - skew) * v**power) / 2


def scaled_table(base: np.ndarray, scale: float) -> tuple[int, ...]:
    """64 integers within 1..255 in natural (row by row) order."""
    return tuple(int(q) for q in np.clip(np.rint(base * scale), 1, 255).ravel())


def encode_jpeg(image: np.ndarray, luma: tuple[int, ...], chroma: tuple[int, ...], subsampling: str) -> bytes:
    """uint8 (H, W, 3) -> a JPEG file with exactly these tables."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", qtables=[list(luma), list(chroma)], subsampling=subsampling)
    return buffer.getvalue()
