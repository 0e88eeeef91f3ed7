"""The convolutional autoencoder in front of the small text-to-image families that work on latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError

GROUPS = 8


class Residual(nn.Module):
    """Two normalised 3x3 convolutions around a skip: (N, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, channels), nn.GroupNorm(GROUPS, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(h)))


def _doubling(inputs: int, outputs: int, kind: str) -> nn.Module:
    """A layer that doubles the side; each kind leaves another trace."""
    if kind == "nearest":
        return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1))
    if kind == "shuffle":
        return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2), nn.Conv2d(outputs, outputs, 3, 1, 1))
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
    raise UsageError(f"unknown kind of doubling '{kind}'. Known: nearest, shuffle, transposed.")


class Autoencoder(nn.Module):
    """Pictures to a few feature maps at 1/2**n of their side, and back.

    Parameters
    ----------
    channels : sequence of int
        Widths from the picture's side down to the latent's, n + 1 numbers, each a multiple of 8.
    latent : int
        Channels of the latent.
    doubling : str
        How the decoder doubles the side: ``nearest`` (and a convolution), ``shuffle`` or ``transposed``.
    """

    def __init__(self, channels: Sequence[int], latent: int, doubling: str = "nearest") -> None:
        super().__init__()
        full, half, *rest = channels
        down: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, half, 3, padding=1), Residual(half)]
        width = half
        for out in rest:
            down += [nn.SiLU(), nn.Conv2d(width, out, 4, 2, 1)]
            width = out
        down += [Residual(width), nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, latent, 3, padding=1)]
        self.encoder = nn.Sequential(*down)
        up: list[nn.Module] = [nn.Conv2d(latent, width, 3, padding=1), Residual(width)]
        for out in [*reversed(channels[:-1])]:
            up += [_doubling(width, out, doubling), Residual(out)]
            width = out
        up += [nn.GroupNorm(GROUPS, full), nn.SiLU(), nn.Conv2d(full, 3, 3, padding=1)]
        self.decoder = nn.Sequential(*up)


class Levels(nn.Module):
    """Finite scalar quantisation (Mentzer et al., ICLR 2024): every number to one of ``count`` levels in [-1, 1].

    ``count`` is odd. Gradients pass as if nothing had been rounded.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        if count < 3 or count % 2 == 0:
            raise UsageError(f"the number of levels must be odd and at least 3, not {count}.")
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        half = self.count // 2
        bounded = torch.tanh(x) * half
        return (bounded + (bounded.round() - bounded).detach()) / half
