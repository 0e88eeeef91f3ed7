"""ProGAN's up-sampling path as a renderer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..base import register_family
from ..equalized import EqualizedConv2d
from ..noise import NoiseStream
from ..progan import ProGANBlock, activate
from .base import CODE_CHANNELS, Renderer


@register_family("progan-renderer")
class ProGANRenderer(Renderer):
    """A 1x1 convolution in place of the doubling one at side 8, then ProGAN as it is.

    Parameters
    ----------
    channels : sequence of int
        Widths at sides 8, 16, 32, 64.
    """

    renders: ClassVar[str] = "progan"

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.config = {"channels": list(channels)}
        first, last = channels[0], channels[-1]
        self.adapter = EqualizedConv2d(CODE_CHANNELS, first, 1)
        self.adapter_bias = nn.Parameter(torch.zeros(first))
        self.conv = EqualizedConv2d(first, first, 3)
        self.conv_bias = nn.Parameter(torch.zeros(first))
        self.blocks = nn.ModuleList(ProGANBlock(a, b) for a, b in pairwise(channels))
        self.to_rgb = EqualizedConv2d(last, 3, 1, gain=1.0)
        self.rgb_bias = nn.Parameter(torch.zeros(3))

    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """See :meth:`Renderer.render`; ProGAN has no noise."""
        x = activate(self.adapter(codes), self.adapter_bias)
        x = activate(self.conv(x), self.conv_bias)
        for block in self.blocks:
            x = block(x)
        return self.to_rgb(x) + self.rgb_bias.view(1, -1, 1, 1)
