"""What an embedding network is, and how one is built by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import UsageError, unknown_name


class EmbeddingNetwork(nn.Module, ABC):
    """A network h: images -> features.

    ``__init__(input_size, *, pool)`` of every subclass takes the side of the (square) images in pixels and the global
    pooling, ``"avg"`` or ``"max"``; networks that flatten instead of pooling ignore ``pool``.

    Attributes
    ----------
    input_range: pixel values that the network expects for black and white, fixed per network and written on the card:
        the scale of the input changes the results of networks with a constrained or fixed first layer.
    minimum_size: smallest image side in pixels that the network accepts.
    embedding_dim: length D of one feature row.
    """

    input_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    minimum_size: ClassVar[int] = 32
    embedding_dim: int

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Features (B, embedding_dim) of ``images`` (B, 3, S, S) float32 within ``input_range``."""


_NETWORKS: dict[str, type[EmbeddingNetwork]] = {}


def register_network(name: str) -> Callable[[type[EmbeddingNetwork]], type[EmbeddingNetwork]]:
    """Class decorator: make a network known to :func:`build_network` under ``name``."""

    def register(cls: type[EmbeddingNetwork]) -> type[EmbeddingNetwork]:
        _NETWORKS[name] = cls
        return cls

    return register


def network_names() -> list[str]:
    """The names that :func:`build_network` accepts, sorted."""
    return sorted(_NETWORKS)


def build_network(name: str, input_size: int, *, pool: str = "avg") -> EmbeddingNetwork:
    """A freshly initialised network for images of ``input_size`` x ``input_size`` pixels.

    Raises :class:`UsageError` for an unknown name or an image smaller than the network can take.
    """
    if name not in _NETWORKS:
        raise unknown_name("network", name, _NETWORKS)
    cls = _NETWORKS[name]
    if input_size < cls.minimum_size:
        raise UsageError(
            f"network '{name}' needs images of at least {cls.minimum_size} px, these are {input_size} px; "
            "use a larger crop or another network"
        )
    return cls(input_size, pool=pool)  # type: ignore[call-arg]  # the signature is part of the contract above


def scale_pixels(images: np.ndarray, input_range: tuple[float, float], device: torch.device | str = "cpu") -> Tensor:
    """uint8 images (B, S, S, 3) -> float32 (B, 3, S, S) with black and white at the two ends of ``input_range``.

    The result keeps the order of the pixels in memory, which torch calls ``channels_last``: no copy on the way in and
    the faster convolutions on CPUs.
    """
    low, high = input_range
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).to(torch.float32)
    if (low, high) == (0.0, 255.0):
        return pixels
    return pixels.mul_((high - low) / 255.0).add_(low)


def global_pool(features: Tensor, pool: str) -> Tensor:
    """Global average or max pooling: (B, C, H, W) -> (B, C)."""
    return features.amax((2, 3)) if pool == "max" else features.mean((2, 3))
