"""Embedding networks: a module of this folder that registers a network is imported when the network is asked for.

A network maps a float32 image batch (B, 3, S, S), scaled to its own ``input_range``, to features (B, embedding_dim).
"""

from .registry import (
    EmbeddingNetwork,
    build_network,
    global_pool,
    network_class,
    network_names,
    register_network,
    scale_pixels,
)

__all__ = [
    "EmbeddingNetwork",
    "build_network",
    "global_pool",
    "network_class",
    "network_names",
    "register_network",
    "scale_pixels",
]
