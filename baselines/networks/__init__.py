"""Embedding networks: every module in this folder registers its networks by name.

A network maps a float32 image batch (B, 3, S, S), scaled to its own ``input_range``, to features (B, embedding_dim).
"""

import importlib
import pkgutil

from .registry import EmbeddingNetwork, build_network, global_pool, network_names, register_network, scale_pixels

__all__ = ["EmbeddingNetwork", "build_network", "global_pool", "network_names", "register_network", "scale_pixels"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
