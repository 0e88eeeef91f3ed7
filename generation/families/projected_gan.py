"""Projected GAN, whose generator is the one of FastGAN.

Sauer et al., "Projected GANs Converge Faster" (NeurIPS 2021); Liu et al., "Towards Faster and Stabilized
GAN Training" (ICLR 2021). Parameter names are upstream's, without the spectral-norm triplets: a module holds
plain weights, and :func:`fold_spectral_norm` turns an official state dict into them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from .base import Generator, NoiseMode, register_family, truncating_uint8
from .equalized import double_and_convolve
from .noise import NoiseStream

CHANNEL_MULTIPLIERS = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25, 1024: 0.125}
"""Width of each resolution in units of ``ngf``."""


class NoiseInjection(nn.Module):
    """Add one noise map, scaled by one learned number, to all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: NoiseStream | None) -> Tensor:
        return x if noise is None else x + self.weight * noise.plane(*x.shape[2:])


def _conv(in_channels: int, out_channels: int, kernel: int, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=padding, bias=False)


class InitLayer(nn.Module):
    """Latent (N, z_dim) to a 4x4 map, after second-moment normalisation."""

    def __init__(self, z_dim: int, channels: int) -> None:
        super().__init__()
        self.init = nn.Sequential(
            nn.ConvTranspose2d(z_dim, 2 * channels, 4, bias=False), nn.BatchNorm2d(2 * channels), nn.GLU(1)
        )

    def forward(self, z: Tensor) -> Tensor:
        z = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        return self.init(z[:, :, None, None])


class UpBlock(nn.Sequential):
    """Nearest x2 and convolution, noise (big blocks), batch norm and GLU; big blocks hold two rounds.

    The children's positions give upstream's parameter names, so they are kept in one sequence.
    Doubling and the first convolution run as one in training; in evaluation they run one after the other, as
    upstream, which gives upstream's rounding too.
    """

    def __init__(self, in_channels: int, out_channels: int, big: bool) -> None:
        def round_(channels: int) -> list[nn.Module]:
            noise: list[nn.Module] = [NoiseInjection()] if big else []
            return [
                _conv(channels, 2 * out_channels, 3, padding=1),
                *noise,
                nn.BatchNorm2d(2 * out_channels),
                nn.GLU(1),
            ]

        second = round_(out_channels) if big else []
        super().__init__(nn.Upsample(scale_factor=2, mode="nearest"), *round_(in_channels), *second)

    def forward(self, input: Tensor, noise: NoiseStream | None) -> Tensor:
        double, convolution, *rest = self
        if self.training:
            x = double_and_convolve(input, cast(nn.Conv2d, convolution).weight)
        else:
            x = convolution(double(input))
        for layer in rest:
            x = layer(x, noise) if isinstance(layer, NoiseInjection) else layer(x)
        return x


class SkipExcitation(nn.Module):
    """Channel gates for a fine map, computed from a coarse one (FastGAN, section 3.1)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            _conv(in_channels, out_channels, 4),
            nn.SiLU(),
            _conv(out_channels, out_channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return fine * self.main(coarse)


class FastGANSynthesis(nn.Module):
    """Latent to image; ``channels[i]`` is the width at resolution ``4 * 2**i``, ``blocks[i]`` is at ``8 * 2**i``."""

    def __init__(self, z_dim: int, img_channels: int, channels: Sequence[int], blocks: Sequence[str]) -> None:
        super().__init__()
        self.init = InitLayer(z_dim, channels[0])
        self.resolutions = [8 * 2**i for i in range(len(blocks))]
        for i, resolution in enumerate(self.resolutions):
            self.add_module(f"feat_{resolution}", UpBlock(channels[i], channels[i + 1], blocks[i] == "big"))
            if resolution >= 64:
                self.add_module(f"se_{resolution}", SkipExcitation(channels[i - 3], channels[i + 1]))
        self.to_big = nn.Conv2d(channels[-1], img_channels, 3, padding=1)

    def forward(self, z: Tensor, noise: NoiseStream | None) -> Tensor:
        features = {4: self.init(z)}
        for resolution in self.resolutions:
            x = self.get_submodule(f"feat_{resolution}")(features[resolution // 2], noise)
            if resolution >= 64:
                x = self.get_submodule(f"se_{resolution}")(features[resolution // 16], x)
            features[resolution] = x
        return self.to_big(features[self.resolutions[-1]])


@register_family("projected_gan")
class ProjectedGAN(Generator):
    """FastGAN generator of Projected GAN.

    Noise: upstream swallows ``noise_mode="const"`` and always draws, so ``"const"`` means ``"random"`` here.
    With seeds, image i equals upstream run on it alone after ``torch.manual_seed(seeds[i])``; without seeds the
    global generator draws (training).
    ``truncation_psi`` is ignored, as upstream (there is no mapping network).
    Batch norm uses running statistics in ``eval()``, so there an image never depends on its batch.

    Parameters
    ----------
    z_dim : int, optional
        Latent length (256 upstream).
    img_resolution : int, optional
        Power of two, at least 16 (upstream: at least 128). Skip excitations exist from 64 px on.
    ngf : int, optional
        Width unit of upstream's table.
    channels : Sequence[int] or None, optional
        Explicit widths for 4, 8, .., img_resolution, instead of ``ngf``.
    blocks : str or Sequence[str], optional
        ``"big"`` or ``"lite"``, or one of them for each resolution 8, 16, .., img_resolution.
    img_channels : int, optional
        Planes of the output.
    """

    latent_spaces: ClassVar[tuple[str, ...]] = ("z",)

    def __init__(
        self,
        z_dim: int = 256,
        img_resolution: int = 256,
        ngf: int = 128,
        channels: Sequence[int] | None = None,
        blocks: str | Sequence[str] = "big",
        img_channels: int = 3,
    ) -> None:
        super().__init__()
        steps = img_resolution.bit_length() - 3
        if img_resolution != 4 * 2**steps or steps < 2:
            raise UsageError(f"img_resolution must be a power of two of at least 16, not {img_resolution}")
        if channels is None:
            channels = [max(int(CHANNEL_MULTIPLIERS[4 * 2**i] * ngf), 1) for i in range(steps + 1)]
        kinds = [blocks] * steps if isinstance(blocks, str) else list(blocks)
        if len(channels) != steps + 1 or len(kinds) != steps or not set(kinds) <= {"big", "lite"}:
            raise UsageError(f"{img_resolution} px needs {steps + 1} channels and {steps} blocks of 'big' or 'lite'")
        self.config = {
            "z_dim": z_dim,
            "img_resolution": img_resolution,
            "ngf": ngf,
            "channels": list(channels),
            "blocks": kinds,
            "img_channels": img_channels,
        }
        self.z_dim, self.resolution = z_dim, img_resolution
        self.synthesis = FastGANSynthesis(z_dim, img_channels, channels, kinds)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Latents (N, z_dim) to images (N, 3, H, W); no final tanh, so values may leave [-1, 1]."""
        noise = None if noise_mode == "none" else NoiseStream(len(z), z.device, seeds)
        return self.synthesis(z.float(), noise)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``x * 127.5 + 128`` clamped to 0..255 and truncated."""
        return truncating_uint8(127.5, 128.0)(images)


def fold_spectral_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace every ``weight_orig``, ``weight_u``, ``weight_v`` triplet by the plain weight used in eval mode.

    ``weight = weight_orig / (u^T W v)`` (Miyato et al., ICLR 2018, eq. 8), W being ``weight_orig`` flattened from
    the output axis: dim 0, or dim 1 for the one transposed convolution, ``init.init.0``. A plain ``weight``
    lying beside the triplet is stale and dropped. Everything else passes through.
    """
    folded: dict[str, Tensor] = {}
    owners = {name.removesuffix("_orig") for name in state if name.endswith("weight_orig")}
    for name, tensor in state.items():
        if name.removesuffix("_orig") not in owners and name[:-2] not in owners:
            folded[name] = tensor
    for owner in owners:
        weight, u, v = state[f"{owner}_orig"], state[f"{owner}_u"], state[f"{owner}_v"]
        transposed = owner.endswith("init.init.0.weight")
        matrix = (weight.transpose(0, 1) if transposed else weight).flatten(1)
        folded[owner] = weight / torch.dot(u, matrix.contiguous() @ v)
    return folded
