"""Log power spectra of small windows as features: no network, no weights, always there."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from ...core.errors import UsageError
from ..log_spectra import FLOOR, MINIMUM_SIZE, WINDOWS, log_spectra
from .encoder import Encoder, register_encoder

CHANNELS = ("luma", "blue", "red")


@register_encoder("log-spectrum")
class LogSpectrum(Encoder):
    """Mean log power spectra (:func:`~osbench.baselines.log_spectra.log_spectra`), standardised image by image.

    The trend that all pictures share is taken out first: in every window and channel, the least-squares plane of the
    log power over the logarithms of the two frequencies. What is left has mean 0 and standard deviation 1 in each
    channel. Layer ``luma`` has 275 numbers, ``luma-chroma`` 825. Images must have at least 32 px.
    """

    preprocessing = f"Hann windows of {WINDOWS} px, floor {FLOOR:g}, less the plane in log frequency, standardised, v1"
    batch_size = 256

    @property
    def layers(self) -> tuple[str, ...]:
        return ("luma", "luma-chroma")

    @property
    def default_layer(self) -> str:
        return "luma-chroma"

    def dim(self, layer: str | None = None) -> int:
        return _trend().shape[0] * (1 if self.checked_layer(layer) == "luma" else len(CHANNELS))

    def missing(self) -> str | None:
        return f"encoder log-spectrum has no weights: leave out ':{self.source}'." if self.source else None

    def _weights_sha256(self) -> str:
        return hashlib.sha256(b"").hexdigest()

    def _compute(self, images: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
        if images.shape[1] < MINIMUM_SIZE:
            raise UsageError(
                f"encoder log-spectrum needs images of {MINIMUM_SIZE} px or more, these have {images.shape[1]} px."
            )
        spectra = log_spectra(images).astype(np.float64)  # a difference of nearly equal numbers follows
        if layers == ("luma",):
            spectra = spectra[:, :1]
        residual = spectra - spectra @ _trend()
        residual -= residual.mean(2, keepdims=True)
        residual /= np.maximum(residual.std(2, keepdims=True), 1e-6)
        return residual.reshape(len(images), -1)


@cache
def _trend() -> np.ndarray:
    """(275, 275): spectra @ it = their least-squares planes, a plane of its own for each window side."""
    sizes = [(w // 2 + 1) ** 2 for w in WINDOWS]
    projection = np.zeros((sum(sizes), sum(sizes)))
    start = 0
    for w, size in zip(WINDOWS, sizes, strict=True):
        f = np.log1p(np.arange(w // 2 + 1))
        columns = np.stack([np.ones((len(f), len(f))), f[:, None] + 0 * f, f[:, None] * 0 + f], axis=-1).reshape(-1, 3)
        q, _ = np.linalg.qr(columns)
        projection[start : start + size, start : start + size] = q @ q.T
        start += size
    return projection
