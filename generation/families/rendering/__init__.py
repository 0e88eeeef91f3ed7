"""Renderers: each family's own up-sampling path, driven by the code of a picture instead of a latent."""

from .base import Renderer

__all__ = ["Renderer"]
