"""Layout: what lies where, as a thumbnail of 4 x 4."""

# scipy and scikit-learn have no types for what is used here.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import numpy as np

from ..probe import Batch, Gate, Probe, register_probe

_CELLS = 4


@register_probe("layout")
class Layout(Probe):
    """Mean colours of 16 parts of the crop."""

    title = "layout: a thumbnail of 4 x 4"
    gate = Gate(above_chance=0.05)

    def features(self, batch: Batch) -> np.ndarray:
        size = batch.pixels.shape[1]
        edges = np.linspace(0, size, min(_CELLS, size) + 1).astype(int)[:-1]
        sums = np.add.reduceat(np.add.reduceat(batch.pixels.astype(np.float32), edges, axis=1), edges, axis=2)
        heights = np.diff([*edges, size]).astype(np.float32)
        means = sums / (heights[:, None] * heights[None])[None, :, :, None]
        return (means / 255).reshape(len(means), -1)
