"""Size of the stored file, with its quality and its area: sharper pictures need more bytes."""

from __future__ import annotations

import numpy as np

from ....generation.pixels import frame_size
from ..probe import Batch, Gate, Probe, register_probe


@register_probe("file-size")
class FileSize(Probe):
    """Bytes, bytes a pixel, and the quality that they go with."""

    title = "size of the file and its JPEG quality"
    gate = Gate(above_chance=0.10)

    def features(self, batch: Batch) -> np.ndarray:
        size = np.array([len(data) for data in batch.encoded], np.float64)
        area = np.array([height * width for height, width in map(frame_size, batch.encoded)], np.float64)
        columns = [size, np.log(size), np.log(size / area), area, batch.numbers("jpeg_quality")]
        return np.stack(columns, axis=1).astype(np.float32)
