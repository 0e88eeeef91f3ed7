"""Renderers: each family's own up-sampling path, driven by the code of a picture instead of a latent.

Whatever module lies in this folder registers itself, as in the folder above.
"""

import importlib
import pkgutil

from .base import Renderer

__all__ = ["Renderer"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
