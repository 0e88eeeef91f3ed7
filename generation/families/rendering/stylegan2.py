"""StyleGAN2's up-sampling path as a renderer."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base import register_family
from ..equalized import EqualizedConv2d, EqualizedLinear
from ..noise import NoiseStream
from ..stylegan2 import SynthesisBlock, SynthesisLayer, SynthesisOptions, ToRGB
from .base import CODE_CHANNELS, Renderer, code_statistics


@register_family("stylegan2-renderer")
class StyleGAN2Renderer(Renderer):
    """A 1x1 convolution and leaky ReLU give the maps of side 8; then StyleGAN2 (skip architecture) as it is.

    ``w`` is a linear function of the mean and the deviation of the code over the picture.

    Parameters
    ----------
    channel_base, channel_max : int
        The width at a side is ``min(channel_base // side, channel_max)``.
    w_dim : int
        Length of ``w``.
    """

    renders: ClassVar[str] = "stylegan2"

    def __init__(self, channel_base: int, channel_max: int, w_dim: int = 64) -> None:
        super().__init__()
        self.config = {"channel_base": channel_base, "channel_max": channel_max, "w_dim": w_dim}
        options = SynthesisOptions(channel_base=channel_base, channel_max=channel_max)
        first = options.width(8)
        self.style = EqualizedLinear(2 * CODE_CHANNELS, w_dim)
        self.adapter = EqualizedConv2d(CODE_CHANNELS, first, 1)
        self.adapter_bias = nn.Parameter(torch.zeros(first))
        self.conv = SynthesisLayer(first, first, w_dim, 8, options, up=False)
        self.torgb = ToRGB(first, 3, w_dim, None)
        sides = (16, 32, 64)
        self.blocks = nn.ModuleList(
            SynthesisBlock(options.width(s // 2), s, w_dim, 3, s == sides[-1], options) for s in sides
        )
        for module in self.modules():
            if isinstance(module, SynthesisLayer):  # noise is drawn anew for every picture
                module.register_buffer("noise_const", torch.zeros_like(module.noise_const), persistent=False)

    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """See :meth:`Renderer.render`."""
        mode = "none" if noise is None else "random"
        w = self.style(code_statistics(codes))
        x = F.leaky_relu(self.adapter(codes) + self.adapter_bias.view(1, -1, 1, 1), 0.2)
        x = self.conv(x, w, mode, noise, 1.0)
        image = self.torgb(x, w)
        ws = w[:, None].expand(-1, 3, -1)
        for block in self.blocks:
            x, image = block(x, image, ws, mode, noise)
        assert image is not None
        return image
