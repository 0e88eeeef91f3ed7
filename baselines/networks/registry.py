"""What an embedding network is, and how one is built by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.registry import Registry


class EmbeddingNetwork(nn.Module, ABC):
    """A network h: images -> features.

    ``__init__(input_size, *, pool)`` of every subclass takes the side of the (square) images in pixels and the global
    pooling, ``"avg"`` or ``"max"``; networks that flatten instead of pooling ignore ``pool``.

    Attributes
    ----------
    input_range : tuple[float, float]
        Pixel values that the network expects for black and white, fixed per network and written on the card:
        the scale of the input changes the results of networks with a constrained or fixed first layer.
    minimum_size : int
        Smallest image side in pixels that the network accepts.
    embedding_dim : int
        Length D of one feature row.
    """

    input_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    minimum_size: ClassVar[int] = 32
    embedding_dim: int

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Features (B, embedding_dim) of ``images`` (B, 3, S, S) float32 within ``input_range``."""


_NETWORKS: Registry[type[EmbeddingNetwork]] = Registry("network", "osbench.networks")
N = TypeVar("N", bound=type[EmbeddingNetwork])


def register_network(name: str) -> Callable[[N], N]:
    """Class decorator: make a network known to :func:`build_network` under ``name``."""

    def register(cls: N) -> N:
        _NETWORKS.add(name, cls)
        return cls

    return register


def network_names() -> list[str]:
    """The names that :func:`build_network` accepts, sorted; none is imported for it."""
    return _NETWORKS.names()


def network_class(name: str) -> type[EmbeddingNetwork]:
    """The class of the network called ``name``; :class:`UsageError` for an unknown name."""
    return _NETWORKS.get(name)


def build_network(name: str, input_size: int, *, pool: str = "avg") -> EmbeddingNetwork:
    """A freshly initialised network for images of ``input_size`` x ``input_size`` pixels.

    :class:`UsageError` for an unknown name or an image smaller than the network can take.
    """
    cls = network_class(name)
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
    # A copy: the images may be a read-only memory map.
    pixels = torch.tensor(images).to(device).permute(0, 3, 1, 2).to(torch.float32)
    if (low, high) == (0.0, 255.0):
        return pixels
    return pixels.mul_((high - low) / 255.0).add_(low)


def global_pool(features: Tensor, pool: str) -> Tensor:
    """Global average or max pooling: (B, C, H, W) -> (B, C)."""
    return features.amax((2, 3)) if pool == "max" else features.mean((2, 3))
