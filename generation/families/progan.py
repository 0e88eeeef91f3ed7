"""ProGAN: Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation", ICLR 2018."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.errors import UsageError
from .base import Generator, NoiseMode, register_family
from .equalized import EqualizedConv2d, EqualizedLinear, EqualizedUpConv2d, pixel_norm


class ProGANBlock(nn.Module):
    """Double the side, then two convolutions, each with bias, leaky ReLU and pixel norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = EqualizedUpConv2d(inputs, outputs, 3)
        self.bias0 = nn.Parameter(torch.zeros(outputs))
        self.conv1 = EqualizedConv2d(outputs, outputs, 3)
        self.bias1 = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = activate(self.conv0(x), self.bias0)
        return activate(self.conv1(x), self.bias1)


def activate(x: Tensor, bias: Tensor) -> Tensor:
    """Bias, leaky ReLU (0.2, no gain), pixel norm."""
    return pixel_norm(F.leaky_relu(x + bias.view(1, -1, 1, 1), 0.2))


@register_family("progan")
class ProGAN(Generator):
    """The generator at its final stage (level of detail 0), from Karras et al., ICLR 2018, table 2.

    Parameters
    ----------
    resolution : int
        Output side, a power of two >= 8.
    z_dim : int
        Latent length (512 in the official networks).
    channels : Sequence[int]
        Width of every stage, ``channels[i]`` at side ``4 * 2**i``.
    image_channels : int, optional
        Planes of the output.
    pixel_bias : bool, optional
        Whether the dense layer has a bias for every channel and pixel (GAN Zoo) or for every channel.
    """

    latent_spaces: ClassVar[tuple[str, ...]] = ("z",)

    def __init__(
        self,
        resolution: int,
        z_dim: int,
        channels: Sequence[int],
        image_channels: int = 3,
        pixel_bias: bool = False,
    ) -> None:
        super().__init__()
        stages = int(math.log2(resolution)) - 1
        if resolution < 8 or 4 << (stages - 1) != resolution or len(channels) != stages:
            raise UsageError(f"ProGAN of side {resolution} needs a power of two >= 8 and one width per side from 4 up.")
        self.config = {
            "resolution": resolution,
            "z_dim": z_dim,
            "channels": list(channels),
            "image_channels": image_channels,
            **({"pixel_bias": True} if pixel_bias else {}),
        }
        self.resolution = resolution
        self.z_dim = z_dim
        self.dense = EqualizedLinear(z_dim, channels[0] * 16, gain=math.sqrt(2) / 4)
        self.dense.bias = nn.Parameter(torch.zeros(channels[0] * (16 if pixel_bias else 1)))
        self.bias_shape = (4, 4) if pixel_bias else (1, 1)
        self.conv = EqualizedConv2d(channels[0], channels[0], 3)
        self.conv_bias = nn.Parameter(torch.zeros(channels[0]))
        self.blocks = nn.ModuleList(ProGANBlock(a, b) for a, b in pairwise(channels))
        self.to_rgb = EqualizedConv2d(channels[-1], image_channels, 1, gain=1.0)
        self.rgb_bias = nn.Parameter(torch.zeros(image_channels))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """(N, z_dim) -> (N, 3, R, R). No classes, no noise, no truncation: UsageError for ``truncation_psi != 1``."""
        if truncation_psi != 1:
            raise UsageError("ProGAN has no truncation; use truncation_psi 1.")
        x = F.linear(pixel_norm(z.float()), self.dense.weight * self.dense.scale).view(len(z), -1, 4, 4)
        x = x + self.dense.bias.view(1, x.shape[1], *self.bias_shape)
        x = pixel_norm(F.leaky_relu(x, 0.2))
        x = activate(self.conv(x), self.conv_bias)
        for block in self.blocks:
            x = block(x)
        return self.to_rgb(x) + self.rgb_bias.view(1, -1, 1, 1)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``round(x * 127.5 + 127.5)``, half to even, saturated to 0..255."""
        pixels = np.rint(np.asarray(images, np.float32) * np.float32(127.5) + np.float32(127.5))
        return np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1))
