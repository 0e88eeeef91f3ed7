"""Fixed pattern: a picture that all images of a generator share, like the noise plane of one constant seed."""

from __future__ import annotations

import numpy as np

from ..planes import luma_chroma
from ..probe import Batch, Gate, Probe, Relate, register_probe

_MOST_SIDE = 64
_LARGEST_CANVAS = 512


@register_probe("fixed-pattern")
class FixedPattern(Probe):
    """Correlation of an image's residual with the mean residual of every generator's training images.

    It is measured in standard deviations of the correlations at all other places.
    Residuals lie where the crop lies in the native image; in native images larger than 512 pixels, where two crops
    hardly overlap, they lie as in the crop. Training images are compared with means of the other half of them: each
    would find itself otherwise.
    """

    title = "fixed pattern: correlation with the mean residual of each generator"
    gate = Gate(above_chance=0.10)

    def features(self, batch: Batch) -> np.ndarray:
        luma = luma_chroma(batch.pixels)[:, 0]
        # One image after the other in height and width only: the filter must not mix images.
        residual = luma - _mean_of_nine(luma)
        side = min(luma.shape[1], _MOST_SIDE)
        margin = (luma.shape[1] - side) // 2
        residual = residual[:, margin : margin + side, margin : margin + side].reshape(len(luma), -1)
        small = np.maximum(batch.numbers("native_width"), batch.numbers("native_height")) <= _LARGEST_CANVAS
        places = [batch.numbers(f"frame_{axis}") + batch.numbers(f"crop_{axis}") + margin for axis in "yx"]
        return np.concatenate([np.where(small, place, 0)[:, None] for place in places] + [residual], axis=1).astype(
            np.float32
        )

    def relate(self, learnt: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, Relate]:
        classes = range(int(labels.max()) + 1)
        half = np.zeros(len(labels), bool)
        for k in classes:
            half[np.flatnonzero(labels == k)[::2]] = True
        out = np.empty((len(learnt), len(classes)), np.float32)
        for part in (half, ~half):
            out[part] = _Patterns(learnt[~part], labels[~part], len(classes))(learnt[part])
        return out, _Patterns(learnt, labels, len(classes))


def _mean_of_nine(luma: np.ndarray) -> np.ndarray:
    """Mean over 3 x 3 pixels, borders repeated: float32 (B, S, S)."""
    size = luma.shape[1]
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :size] + padded[:, 1 : size + 1] + padded[:, 2 : size + 2]
    return (rows[:, :, :size] + rows[:, :, 1 : size + 1] + rows[:, :, 2 : size + 2]) / 9


class _Patterns:
    """Mean residuals of K classes on one canvas, float32 (K, H, W); called with features, correlations (N, K)."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int) -> None:
        self.side = round((features.shape[1] - 2) ** 0.5)
        height, width = (int(features[:, i].max(initial=0)) + self.side for i in range(2))
        self.mean = np.zeros((classes, height, width), np.float32)
        count = np.zeros((classes, height, width), np.float32)
        for row, k in zip(features, labels, strict=True):
            y, x = int(row[0]), int(row[1])
            self.mean[k, y : y + self.side, x : x + self.side] += row[2:].reshape(self.side, self.side)
            count[k, y : y + self.side, x : x + self.side] += 1
        self.mean /= np.maximum(count, 1)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        out = np.zeros((len(features), len(self.mean)), np.float32)
        for i, row in enumerate(features):
            y, x = int(row[0]), int(row[1])
            window = self.mean[:, y : y + self.side, x : x + self.side]
            own = row[2:].reshape(self.side, self.side)[: window.shape[1], : window.shape[2]]
            out[i] = _correlations(own, window)
        return out


def _correlations(image: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Correlation in place, in standard deviations of those at all other places.

    As peak to correlation energy does it (Goljan, Fridrich and Filler, SPIE 7254, 2009): a correlation as it is also
    says how strong and how rough a residual is, which is no pattern.
    """
    if not image.size:
        return np.zeros(len(patterns), np.float32)
    a = np.fft.rfft2(image - image.mean())
    b = np.fft.rfft2(patterns - patterns.mean((1, 2), keepdims=True), axes=(1, 2))
    everywhere = np.fft.irfft2(a * b.conj(), s=image.shape, axes=(1, 2)).reshape(len(patterns), -1)
    return (everywhere[:, 0] / np.maximum(everywhere[:, 1:].std(1), 1e-12)).astype(np.float32)
