"""Traces: statistics of what is left of an image when what it shows is taken away.

This is no method, but what any method for traces could build on: mean log power spectra of small windows above 1/8
cycle a pixel (as Frank et al., ICML 2020, found up-sampling in spectra), and co-occurrences of three neighbouring
first differences (as in steganalysis; Fridrich and Kodovsky, IEEE TIFS 2012).
"""

from __future__ import annotations

import itertools

import numpy as np

from ..planes import luma_chroma
from ..probe import Batch, Gate, Probe, register_probe

_WINDOW = 16
_STEP = 8
_LOWEST = 2  # of 16: 1/8 cycle a pixel
_FLOOR = 1.0  # of the power, so that flat windows stay finite
_LARGEST = 2  # differences beyond count as this
_QUANTUM = 2.0


@register_probe("trace")
class Trace(Probe):
    """Residual statistics: the one probe that must find something, with weights that it was not trained on."""

    title = "residual statistics: spectrum above 1/8 cycle a pixel, co-occurrences of differences"
    gate = Gate(at_least=0.50)

    def features(self, batch: Batch) -> np.ndarray:
        planes = luma_chroma(batch.pixels)
        return np.concatenate([_spectra(planes), _cooccurrences(planes)], axis=1)


def _spectra(planes: np.ndarray) -> np.ndarray:
    """Mean log power of Hann windows, mirrored frequencies together: (B, 3, S, S) -> float32 (B, 3 * 77)."""
    window = min(_WINDOW, planes.shape[-1])
    hann = np.hanning(window + 2)[1:-1].astype(np.float32)
    taper = np.outer(hann, hann)
    corners = range(0, planes.shape[-1] - window + 1, _STEP)
    total = np.zeros((*planes.shape[:2], window, window // 2 + 1), np.float32)
    for y, x in itertools.product(corners, corners):
        part = planes[..., y : y + window, x : x + window]
        part = part - part.mean((2, 3), keepdims=True)
        total += np.log(np.abs(np.fft.rfft2(part * taper)) ** 2 + _FLOOR)
    half = np.arange(window // 2 + 1)
    mean = (total[:, :, half] + total[:, :, -half]) / (2 * len(corners) ** 2)
    u, v = np.meshgrid(half, half, indexing="ij")
    return mean[:, :, np.maximum(u, v) >= _LOWEST * window // _WINDOW].reshape(len(planes), -1)


def _cooccurrences(planes: np.ndarray) -> np.ndarray:
    """Shares of triples of quantised differences, both directions together: (B, 3, S, S) -> float32 (B, 3 * cells)."""
    cells, number = _symmetric_cells()
    out = np.empty((len(planes), planes.shape[1], number), np.float32)
    for c in range(planes.shape[1]):
        counts = np.zeros((len(planes), number))
        for axis in (1, 2):
            steps = np.diff(planes[:, c], axis=axis) / _QUANTUM
            levels = (np.clip(np.rint(steps), -_LARGEST, _LARGEST) + _LARGEST).astype(np.int64)
            levels = levels if axis == 2 else levels.swapaxes(1, 2)
            triples = (levels[..., :-2] * 5 + levels[..., 1:-1]) * 5 + levels[..., 2:]
            found = cells[triples].reshape(len(planes), -1) + np.arange(len(planes))[:, None] * number
            counts += np.bincount(found.ravel(), minlength=len(planes) * number).reshape(-1, number)
        out[:, c] = np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1))
    return out.reshape(len(planes), -1)


def _symmetric_cells() -> tuple[np.ndarray, int]:
    """Cell of each of 125 triples, int64 (125,), shared by a triple, its mirror and its negative; and how many."""
    known: dict[tuple[int, ...], int] = {}
    cells: list[int] = []
    for triple in itertools.product(range(-_LARGEST, _LARGEST + 1), repeat=3):
        negative = tuple(-level for level in triple)
        key = min(triple, triple[::-1], negative, negative[::-1])
        cells.append(known.setdefault(key, len(known)))
    return np.array(cells, np.int64), len(known)
