"""StyleGAN: Karras, Laine, Aila, "A Style-Based Generator Architecture for GANs", CVPR 2019."""

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
from .base import Generator, NoiseMode, register_family, truncating_uint8
from .equalized import EqualizedConv2d, EqualizedLinear, EqualizedUpConv2d, pixel_norm
from .noise import NoiseStream


class Epilogue(nn.Module):
    """Noise, bias, leaky ReLU, instance norm and style (AdaIN): what follows every convolution."""

    noise_const: Tensor

    def __init__(self, channels: int, w_dim: int, side: int) -> None:
        super().__init__()
        self.noise_weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.style = EqualizedLinear(w_dim, 2 * channels)
        self.register_buffer("noise_const", torch.randn(1, 1, side, side))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        if noise is not None:
            x = x + noise * self.noise_weight.view(1, -1, 1, 1)
        x = F.leaky_relu(x + self.bias.view(1, -1, 1, 1), 0.2)
        x = x - x.mean(dim=(2, 3), keepdim=True)
        x = x * (x.square().mean(dim=(2, 3), keepdim=True) + 1e-8).rsqrt()
        scale, shift = self.style(w)[:, :, None, None].chunk(2, dim=1)
        return x * (scale + 1) + shift


class StyleGANBlock(nn.Module):
    """Upsampling convolution, [1 2 1] blur, epilogue; convolution, epilogue."""

    blur: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, side: int) -> None:
        super().__init__()
        self.conv0 = EqualizedUpConv2d(inputs, outputs, 3)
        self.epilogue0 = Epilogue(outputs, w_dim, side)
        self.conv1 = EqualizedConv2d(outputs, outputs, 3)
        self.epilogue1 = Epilogue(outputs, w_dim, side)
        tap = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("blur", (torch.outer(tap, tap) / 16).repeat(outputs, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor, ws: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        x = F.conv2d(self.conv0(x), self.blur, padding=1, groups=len(self.blur))
        x = self.epilogue0(x, ws[:, 0], noise[0])
        return self.epilogue1(self.conv1(x), ws[:, 1], noise[1])


class StyleGANMapping(nn.Module):
    """Pixel norm, then dense layers (gain sqrt 2, learning rate 0.01, leaky ReLU): (N, z_dim) -> (N, w_dim)."""

    def __init__(self, z_dim: int, hidden: int, w_dim: int, layers: int) -> None:
        super().__init__()
        widths = [z_dim, *[hidden] * (layers - 1), w_dim]
        self.layers = nn.ModuleList(
            EqualizedLinear(a, b, gain=math.sqrt(2), lr_multiplier=0.01) for a, b in pairwise(widths)
        )

    def forward(self, z: Tensor) -> Tensor:
        w = pixel_norm(z.float())
        for layer in self.layers:
            w = F.leaky_relu(layer(w), 0.2)
        return w


@register_family("stylegan")
class StyleGAN(Generator):
    """The style-based generator of Karras et al., CVPR 2019 (section 2, appendix B of the paper).

    In training mode every call moves ``w_avg`` towards the batch mean (decay 0.995).

    Parameters
    ----------
    resolution : int
        Output side, a power of two >= 8.
    z_dim, w_dim : int
        Lengths of the latent and of the intermediate latent.
    channels : Sequence[int]
        Width of every stage, ``channels[i]`` at side ``4 * 2**i``.
    mapping_layers : int, optional
        Depth of the mapping network (8 in the official networks).
    mapping_width : int or None, optional
        Its hidden width (512 in the official networks); None means ``w_dim``.
    image_channels : int, optional
        Planes of the output.
    """

    latent_spaces: ClassVar[tuple[str, ...]] = ("z", "w", "w+")
    w_avg: Tensor

    def __init__(
        self,
        resolution: int,
        z_dim: int,
        w_dim: int,
        channels: Sequence[int],
        mapping_layers: int = 8,
        mapping_width: int | None = None,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        stages = int(math.log2(resolution)) - 1
        if resolution < 8 or 4 << (stages - 1) != resolution or len(channels) != stages:
            raise UsageError(f"StyleGAN of side {resolution} needs a power of two >= 8 and one width per side from 4.")
        mapping_width = mapping_width or w_dim
        self.config = {
            "resolution": resolution,
            "z_dim": z_dim,
            "w_dim": w_dim,
            "channels": list(channels),
            "mapping_layers": mapping_layers,
            "mapping_width": mapping_width,
            "image_channels": image_channels,
        }
        self.resolution = resolution
        self.z_dim = z_dim
        self.num_ws = 2 * stages
        self.w_avg_beta = 0.995
        self.mapping_network = StyleGANMapping(z_dim, mapping_width, w_dim, mapping_layers)
        self.register_buffer("w_avg", torch.zeros(w_dim))
        self.const = nn.Parameter(torch.ones(1, channels[0], 4, 4))
        self.epilogue0 = Epilogue(channels[0], w_dim, 4)
        self.conv = EqualizedConv2d(channels[0], channels[0], 3)
        self.epilogue1 = Epilogue(channels[0], w_dim, 4)
        self.blocks = nn.ModuleList(StyleGANBlock(a, b, w_dim, 8 << i) for i, (a, b) in enumerate(pairwise(channels)))
        self.to_rgb = EqualizedConv2d(channels[-1], image_channels, 1, gain=1.0)
        self.rgb_bias = nn.Parameter(torch.zeros(image_channels))

    def mapping(self, z: Tensor, truncation_psi: float = 1.0, truncation_cutoff: int | None = 8) -> Tensor:
        """Styles (N, num_ws, w_dim); the first ``truncation_cutoff`` (None = all) are pulled towards ``w_avg``."""
        w = self.mapping_network(z)
        if self.training:
            self.w_avg.copy_(w.detach().mean(dim=0).float().lerp(self.w_avg, self.w_avg_beta))
        ws = w[:, None].repeat(1, self.num_ws, 1)
        if truncation_psi == 1:
            return ws
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([self.w_avg.lerp(ws[:, :cutoff], truncation_psi), ws[:, cutoff:]], dim=1)

    def to_space(self, z: Tensor, space: str) -> Tensor:
        """z itself, one style (N, w_dim), or one style for each layer (N, num_ws, w_dim)."""
        if space == "z":
            return z
        ws = self.mapping(z)
        return ws[:, 0] if space == "w" else ws

    def from_space(
        self, codes: Tensor, space: str, *, noise_mode: NoiseMode = "const", seeds: Sequence[int] | None = None
    ) -> Tensor:
        """Pictures (N, 3, R, R) of codes in "z", "w" or "w+"."""
        if space == "z":
            return self(codes, noise_mode=noise_mode, seeds=seeds)
        ws = codes[:, None].expand(-1, self.num_ws, -1) if space == "w" else codes
        return self.synthesis(ws, noise_mode, seeds)

    def synthesis(self, ws: Tensor, noise_mode: NoiseMode = "const", seeds: Sequence[int] | None = None) -> Tensor:
        """Styles (N, num_ws, w_dim) -> images (N, 3, R, R)."""
        stream = NoiseStream(len(ws), ws.device, seeds) if noise_mode == "random" else None

        def noise(epilogue: Epilogue) -> Tensor | None:
            if stream is not None:
                return stream.plane(*epilogue.noise_const.shape[2:])
            return epilogue.noise_const if noise_mode == "const" else None

        x = self.epilogue0(self.const.expand(len(ws), -1, -1, -1), ws[:, 0], noise(self.epilogue0))
        x = self.epilogue1(self.conv(x), ws[:, 1], noise(self.epilogue1))
        for i, block in enumerate(self.blocks):
            assert isinstance(block, StyleGANBlock)
            planes = noise(block.epilogue0), noise(block.epilogue1)
            x = block(x, ws[:, 2 * i + 2 : 2 * i + 4], planes)
        return self.to_rgb(x) + self.rgb_bias.view(1, -1, 1, 1)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
        truncation_cutoff: int | None = 8,
    ) -> Tensor:
        """(N, z_dim) -> (N, 3, R, R); ``c`` is ignored. Upstream's own default is psi 0.7 on the first 8 styles."""
        return self.synthesis(self.mapping(z, truncation_psi, truncation_cutoff), noise_mode, seeds)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``x * 127.5 + 128`` clamped to 0..255 and truncated (TensorFlow's saturating cast)."""
        return truncating_uint8(127.5, 128)(images)
