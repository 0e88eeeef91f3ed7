"""Encoders: frozen networks (or formulas) that turn an image into a row of numbers. Each encoder is one file here.

A text names one: ``efficientnet-lite0``, ``log-spectrum``, ``clip``, ``clip:openai/clip-vit-base-patch32``,
``transformers:FOLDER``. What stands behind the colon is a Hub id whose files were downloaded before, or a place on this
machine; an encoder without it takes its default weights.
"""

from .encoder import (
    Encoder,
    TextEncoder,
    build_encoder,
    encoder_class,
    encoder_names,
    pinned,
    register_encoder,
    unit_norm,
)

__all__ = [
    "Encoder",
    "TextEncoder",
    "build_encoder",
    "encoder_class",
    "encoder_names",
    "pinned",
    "register_encoder",
    "unit_norm",
]
