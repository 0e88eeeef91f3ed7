"""Columns of the public table: sizes, places of the crop, quality, class and prompt."""

from __future__ import annotations

import numpy as np

from ..probe import Batch, Gate, Probe, register_probe

_NUMBERS = (
    "jpeg_quality",
    "class_label",
    "native_width",
    "native_height",
    "crop_x",
    "crop_y",
    "frame_x",
    "frame_y",
)


@register_probe("metadata")
class Metadata(Probe):
    """What a table says of an image besides who made it; nothing of its bytes or pixels."""

    title = "columns of the table: sizes, place of the crop, quality, class, prompt"
    gate = Gate(above_chance=0.05)

    def features(self, batch: Batch) -> np.ndarray:
        numbers = [batch.numbers(name) for name in _NUMBERS]
        lengths = batch.rows["prompt"].map(lambda text: len(text) if isinstance(text, str) else -1)
        return np.stack([*numbers, lengths.to_numpy(np.float64)], axis=1).astype(np.float32)
