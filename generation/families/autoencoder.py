"""The convolutional autoencoder in front of the small text-to-image families that work on latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import UsageError


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip: (N, C, H, W) -> the same.

    Without normalisation, which would cost half a training step on a CPU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


def _doubling(inputs: int, outputs: int, kind: str) -> nn.Module:
    """A layer that doubles the side; each kind leaves another trace."""
    if kind in ("nearest", "bilinear"):
        return nn.Sequential(nn.Upsample(scale_factor=2, mode=kind), nn.Conv2d(inputs, outputs, 3, padding=1))
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
    raise UsageError(f"unknown kind of doubling '{kind}'. Known: nearest, bilinear, transposed.")


class Autoencoder(nn.Module):
    """Pictures to a few feature maps at 1/2**n of their side, and back.

    Parameters
    ----------
    channels : sequence of int
        Widths from the picture's side down to the latent's, n + 1 numbers, n at least 1.
    latent : int
        Channels of the latent.
    doubling : str
        How the decoder doubles the side: ``nearest`` or ``bilinear`` (and a convolution), or ``transposed``.
    """

    def __init__(self, channels: Sequence[int], latent: int, doubling: str = "nearest") -> None:
        super().__init__()
        _, half, *rest = channels
        down: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, half, 3, padding=1), Residual(half)]
        width = half
        for out in rest:
            down += [nn.SiLU(), nn.Conv2d(width, out, 3, 2, 1)]
            width = out
        self.encoder = nn.Sequential(*down, nn.SiLU(), nn.Conv2d(width, latent, 3, padding=1))
        up: list[nn.Module] = [nn.Conv2d(latent, width, 3, padding=1), Residual(width)]
        for i, out in enumerate(reversed(channels[:-1])):
            up.append(_doubling(width, out, doubling))
            if i < len(channels) - 2:  # at full side it would cost more than all others together
                up.append(Residual(out))
            width = out
        self.decoder = nn.Sequential(*up, nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))


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
