"""The decoder of Taming Transformers' VQGAN as a renderer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from ..base import register_family
from ..noise import NoiseStream
from .base import CODE_CHANNELS, Renderer


@register_family("taming-renderer")
class TamingRenderer(Renderer):
    """A 1x1 convolution in place of the codebook, then VQGAN's post-quantisation convolution and decoder as they are.

    The decoder is the one of :class:`..taming.TamingTransformer`: residual blocks with group norm, attention in the
    middle, nearest-neighbour doubling and a convolution, three times.

    Parameters
    ----------
    ch : int
        Unit of the widths.
    ch_mult : sequence of int
        Width ``ch * ch_mult[i]`` at side ``64 / 2**i``, four levels.
    z_channels : int
        Channels of the decoder's input.
    norm_num_groups : int
        Groups of every norm.
    """

    renders: ClassVar[str] = "taming"

    def __init__(self, ch: int, ch_mult: Sequence[int], z_channels: int, norm_num_groups: int = 8) -> None:
        from diffusers.models.autoencoders.vae import Decoder  # takes seconds, which lists of families should not

        super().__init__()
        self.config = {
            "ch": ch,
            "ch_mult": list(ch_mult),
            "z_channels": z_channels,
            "norm_num_groups": norm_num_groups,
        }
        self.adapter = nn.Conv2d(CODE_CHANNELS, z_channels, 1)
        self.post_quant_conv = nn.Conv2d(z_channels, z_channels, 1)
        self.decoder = Decoder(
            in_channels=z_channels,
            out_channels=3,
            up_block_types=("UpDecoderBlock2D",) * len(ch_mult),
            block_out_channels=tuple(ch * m for m in ch_mult),
            layers_per_block=1,
            norm_num_groups=norm_num_groups,
        )

    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """See :meth:`Renderer.render`; VQGAN has no noise."""
        return self.decoder(self.post_quant_conv(self.adapter(codes)))
