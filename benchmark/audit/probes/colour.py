"""Colours: which are there and how many of each, wherever they are."""

from __future__ import annotations

import numpy as np

from ..probe import Batch, Gate, Probe, register_probe

_LEVELS = 4


@register_probe("colour")
class Colour(Probe):
    """A histogram of 4 x 4 x 4 colours, and mean and deviation of each channel."""

    title = "colours: histogram of 64, mean and deviation"
    gate = Gate(above_chance=0.05)

    def features(self, batch: Batch) -> np.ndarray:
        flat = batch.pixels.reshape(len(batch.pixels), -1, 3)
        levels = flat.astype(np.int64) * _LEVELS // 256
        colours = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
        cells = colours + np.arange(len(flat))[:, None] * _LEVELS**3
        counts = np.bincount(cells.ravel(), minlength=len(flat) * _LEVELS**3).reshape(len(flat), -1)
        # The root: rare colours would not count beside a large sky.
        shares = np.sqrt(counts / flat.shape[1])
        return np.concatenate([shares, flat.mean(1) / 255, flat.std(1) / 255], axis=1).astype(np.float32)
