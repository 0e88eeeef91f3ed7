"""Low frequencies: shapes and shading, without any detail."""

from __future__ import annotations

import numpy as np

from ..planes import luma_chroma
from ..probe import Batch, Gate, Probe, register_probe

_KEPT = 6
_LARGEST = 0.125
_RINGS = 5


@register_probe("low-frequencies")
class LowFrequencies(Probe):
    """The first 6 x 6 coefficients of the cosine transform, and the log power of rings below 1/8 cycle a pixel."""

    title = "low frequencies: below 1/8 cycle a pixel"
    gate = Gate(above_chance=0.05)

    def features(self, batch: Batch) -> np.ndarray:
        planes = luma_chroma(batch.pixels)
        size = planes.shape[-1]
        basis = _cosines(size)
        found: np.ndarray = basis @ planes @ basis.T / size
        kept = found[..., :_KEPT, :_KEPT].reshape(len(planes), -1)
        along = np.linspace(0, 0.5, size, endpoint=False)
        frequency = np.hypot(along[:, None], along[None])
        edges = np.linspace(0, _LARGEST, _RINGS + 1)
        rings: list[np.ndarray] = []
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            ring = (frequency > low) & (frequency <= high)
            power: np.ndarray = (found[..., ring] ** 2).sum(-1)
            rings.append(np.log(power + 1e-3))
        return np.concatenate([kept, *rings], axis=1).astype(np.float32)


def _cosines(size: int) -> np.ndarray:
    """The orthonormal cosine transform (DCT-II) as a matrix, float32 (size, size)."""
    rows = np.arange(size)
    basis = np.cos(np.pi * rows[:, None] * (2 * rows[None] + 1) / (2 * size)) * np.sqrt(2 / size)
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)
