"""Layers with an equalised learning rate (Karras et al., "Progressive Growing of GANs", ICLR 2018, section 4.1).

Weights are stored with unit variance and scaled at run time by ``gain * lr_multiplier / sqrt(fan_in)``, so
that an optimiser of constant step size moves every layer at the same relative speed.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pixel_norm(x: Tensor) -> Tensor:
    """``x * rsqrt(mean over channels of x**2 + 1e-8)`` for (N, C, ...) (ProGAN, section 4.2)."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class EqualizedLinear(nn.Module):
    """``x @ (weight * scale).T + bias * lr_multiplier`` with weight (out, in) ~ N(0, 1 / lr_multiplier**2)."""

    def __init__(
        self, inputs: int, outputs: int, gain: float = 1.0, lr_multiplier: float = 1.0, bias_init: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias_init / lr_multiplier))
        self.scale = gain * lr_multiplier / math.sqrt(inputs)
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)


class EqualizedConv2d(nn.Module):
    """Same-size convolution with weight (out, in, k, k) ~ N(0, 1); no bias (the caller adds it where it belongs)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = gain / math.sqrt(inputs * kernel * kernel)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, padding=self.padding)


def double_and_convolve(x: Tensor, weight: Tensor) -> Tensor:
    """Nearest-neighbour doubling, then a same-size 3x3 convolution, in one transposed convolution.

    Doubling repeats every pixel, so its adjoint sums 2x2 neighbours of the kernel: the four shifted copies of the
    flipped 3x3 kernel add up to a 4x4 kernel for stride 2. Equal to the two-step form up to float rounding and
    2-3 times faster. (N, C, H, W) and (out, C, 3, 3) -> (N, out, 2H, 2W).
    """
    kernel = F.pad(weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
    kernel = kernel[:, :, 1:, 1:] + kernel[:, :, :-1, 1:] + kernel[:, :, 1:, :-1] + kernel[:, :, :-1, :-1]
    return F.conv_transpose2d(x, kernel, stride=2, padding=1)


class EqualizedUpConv2d(EqualizedConv2d):
    """Doubling and convolution: (N, C, H, W) -> (N, out, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        return double_and_convolve(x, self.weight * self.scale)
