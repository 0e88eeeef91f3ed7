"""StyleGAN's up-sampling path as a renderer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..base import register_family
from ..equalized import EqualizedConv2d, EqualizedLinear
from ..noise import NoiseStream
from ..stylegan import Epilogue, StyleGANBlock
from .base import CODE_CHANNELS, Renderer, code_statistics


@register_family("stylegan-renderer")
class StyleGANRenderer(Renderer):
    """A 1x1 convolution in place of the doubling one at side 8, then StyleGAN as it is.

    Instance norm takes level and contrast out of every map, so they come back through the style: ``w`` is a linear
    function of the mean and the deviation of the code over the picture.

    Parameters
    ----------
    channels : sequence of int
        Widths at sides 8, 16, 32, 64.
    w_dim : int
        Length of ``w``.
    """

    renders: ClassVar[str] = "stylegan"

    def __init__(self, channels: Sequence[int], w_dim: int = 64) -> None:
        super().__init__()
        self.config = {"channels": list(channels), "w_dim": w_dim}
        first, last = channels[0], channels[-1]
        self.style = EqualizedLinear(2 * CODE_CHANNELS, w_dim)
        self.adapter = EqualizedConv2d(CODE_CHANNELS, first, 1)
        self.epilogue0 = Epilogue(first, w_dim, 8)
        self.conv = EqualizedConv2d(first, first, 3)
        self.epilogue1 = Epilogue(first, w_dim, 8)
        self.blocks = nn.ModuleList(StyleGANBlock(a, b, w_dim, 16 << i) for i, (a, b) in enumerate(pairwise(channels)))
        self.to_rgb = EqualizedConv2d(last, 3, 1, gain=1.0)
        self.rgb_bias = nn.Parameter(torch.zeros(3))
        for module in self.modules():
            if isinstance(module, Epilogue):  # noise is drawn anew for every picture
                module.register_buffer("noise_const", torch.zeros_like(module.noise_const), persistent=False)

    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """See :meth:`Renderer.render`."""
        w = self.style(code_statistics(codes))
        ws = w[:, None].expand(-1, 2, -1)

        def plane(epilogue: Epilogue) -> Tensor | None:
            return None if noise is None else noise.plane(*epilogue.noise_const.shape[2:])

        x = self.epilogue0(self.adapter(codes), w, plane(self.epilogue0))
        x = self.epilogue1(self.conv(x), w, plane(self.epilogue1))
        for block in self.blocks:
            assert isinstance(block, StyleGANBlock)
            x = block(x, ws, (plane(block.epilogue0), plane(block.epilogue1)))
        return self.to_rgb(x) + self.rgb_bias.view(1, -1, 1, 1)
