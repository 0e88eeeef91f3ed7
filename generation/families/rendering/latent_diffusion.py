"""A decoder of latent diffusion as a renderer: the small one, so that it shares no design with VQGAN's."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from ..base import register_family
from ..noise import NoiseStream
from .base import CODE_CHANNELS, Renderer


@register_family("latent_diffusion-renderer")
class LatentDiffusionRenderer(Renderer):
    """A 1x1 convolution and a pixel shuffle give the latent (two pixels for a code block), then the small decoder.

    The decoder is diffusers' ``DecoderTiny``, which Stable Diffusion's users know as TAESD: plain residual blocks of
    three convolutions with ReLU, no normalisation, no attention, doubling by nearest neighbour. The usual decoder of
    Stable Diffusion is built from the blocks of VQGAN's; two sources with one decoder would be one architecture under
    two names.

    Parameters
    ----------
    latent_channels : int
        Channels of the latent.
    width : int
        Width of all convolutions.
    blocks : tuple of int
        Residual blocks at sides 16, 32, 64.
    """

    renders: ClassVar[str] = "latent_diffusion"

    def __init__(self, latent_channels: int, width: int, blocks: tuple[int, int, int]) -> None:
        from diffusers.models.autoencoders.vae import DecoderTiny  # takes seconds, which lists of families should not

        super().__init__()
        self.config = {"latent_channels": latent_channels, "width": width, "blocks": list(blocks)}
        self.adapter = nn.Conv2d(CODE_CHANNELS, 4 * latent_channels, 1)
        self.decoder = DecoderTiny(
            in_channels=latent_channels,
            out_channels=3,
            num_blocks=tuple(blocks),
            block_out_channels=(width,) * len(blocks),
            upsampling_scaling_factor=2,
            act_fn="relu",
            upsample_fn="nearest",
        )

    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """See :meth:`Renderer.render`; the decoder has no noise."""
        return self.decoder(F.pixel_shuffle(self.adapter(codes), 2))
