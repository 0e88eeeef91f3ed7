"""The up-sampling path of Projected GAN (FastGAN's generator) as a renderer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from ..base import register_family
from ..noise import NoiseStream
from ..projected_gan import SkipExcitation, UpBlock
from .base import CODE_CHANNELS, Renderer


def _entrance(channels: int) -> nn.Sequential:
    """1x1 convolution, batch norm and GLU: the initial layer of FastGAN for a map instead of a latent."""
    return nn.Sequential(nn.Conv2d(CODE_CHANNELS, 2 * channels, 1, bias=False), nn.BatchNorm2d(2 * channels), nn.GLU(1))


@register_family("projected_gan-renderer")
class ProjectedGANRenderer(Renderer):
    """A 1x1 convolution with batch norm and GLU in place of the block of side 8, then FastGAN as it is.

    A second one, on the code averaged over 2x2 blocks, stands for side 4, which the skip excitation of 64 px looks at.

    Parameters
    ----------
    channels : sequence of int
        Widths at sides 4, 8, 16, 32, 64.
    blocks : sequence of str
        ``"big"`` or ``"lite"`` for 16, 32, 64.
    """

    renders: ClassVar[str] = "projected_gan"

    def __init__(self, channels: Sequence[int], blocks: Sequence[str]) -> None:
        super().__init__()
        self.config = {"channels": list(channels), "blocks": list(blocks)}
        self.coarse = _entrance(channels[0])
        self.adapter = _entrance(channels[1])
        self.blocks = nn.ModuleList(
            UpBlock(a, b, kind == "big") for (a, b), kind in zip(pairwise(channels[1:]), blocks, strict=True)
        )
        self.excitation = SkipExcitation(channels[0], channels[-1])
        self.to_big = nn.Conv2d(channels[-1], 3, 3, padding=1)

    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """See :meth:`Renderer.render`."""
        coarse, x = self.coarse(F.avg_pool2d(codes, 2)), self.adapter(codes)
        for block in self.blocks:
            x = block(x, noise)
        return self.to_big(self.excitation(coarse, x))
