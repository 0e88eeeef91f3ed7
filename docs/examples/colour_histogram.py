"""Colour histogram: how often each of 64 colours occurs."""

from __future__ import annotations

import hashlib

import numpy as np

from osbench.baselines.encoders import Encoder, register_encoder

LEVELS = 4


@register_encoder("colour-histogram")
class ColourHistogram(Encoder):
    """Shares of 4 x 4 x 4 colours: tells content apart, and no traces."""

    preprocessing = f"{LEVELS} levels of red, green and blue"

    @property
    def layers(self) -> tuple[str, ...]:
        return ("shares",)

    @property
    def default_layer(self) -> str:
        return "shares"

    def dim(self, layer: str | None = None) -> int:
        return LEVELS**3

    def missing(self) -> str | None:
        return None

    def _weights_sha256(self) -> str:
        return hashlib.sha256(b"").hexdigest()

    def _compute(self, images: np.ndarray, layers: tuple[str, ...]) -> np.ndarray:
        r, g, b = np.moveaxis(images.reshape(len(images), -1, 3) // (256 // LEVELS), -1, 0)
        colours = (r * LEVELS + g) * LEVELS + b
        return np.stack([np.bincount(one, minlength=LEVELS**3) / len(one) for one in colours])
