"""Low frequencies: shapes and shading, without any detail."""

# scipy and scikit-learn have no types for what is used here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import numpy as np
from scipy.fft import dctn

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
        found = np.asarray(dctn(planes, norm="ortho", axes=(2, 3))) / size
        kept = found[..., :_KEPT, :_KEPT].reshape(len(planes), -1)
        frequency = np.hypot(*np.meshgrid(np.arange(size), np.arange(size), indexing="ij")) / (2 * size)
        power = found**2
        rings = []
        for low, high in zip(_edges()[:-1], _edges()[1:], strict=True):
            ring = (frequency > low) & (frequency <= high)
            rings.append(np.log(power[..., ring].sum(-1) + 1e-3))
        return np.concatenate([kept, *rings], axis=1).astype(np.float32)


def _edges() -> np.ndarray:
    return np.linspace(0, _LARGEST, _RINGS + 1)
