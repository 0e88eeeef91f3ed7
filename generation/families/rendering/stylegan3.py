"""StyleGAN3's up-sampling path as a renderer."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base import register_family
from ..equalized import EqualizedConv2d, EqualizedLinear
from ..noise import NoiseStream
from ..stylegan3 import SynthesisLayer, layer_table, lowpass_filter, upsample_fir
from .base import BLOCK, CODE_CHANNELS, Renderer, code_statistics

_RATE = 32
_CUTOFF = 12.0
_BLOCKS_AROUND = 2
_TAPS = 24


class CodedFourierFeatures(nn.Module):
    """StyleGAN3's own way in, for a code: Fourier features of the block grid whose amplitudes the code sets.

    The family's layers are blind to where a block begins, since everything in them is shift-equivariant, but a code
    means something only relative to its block. So the code, doubled twice by the family's low-pass filter (cut-off 4
    cycles), is multiplied by the 9 products of {1, cos, sin} of one period per block in both directions, which stays
    below 4 + 8 = 12 cycles: band-limited at the rate of 32, as the first layer asks.
    """

    code_filter: Tensor
    features: Tensor

    def __init__(self, channels: int, margin: int) -> None:
        super().__init__()
        self.margin = margin
        code_rate = 64 // BLOCK
        taps = lowpass_filter(_TAPS, code_rate / 2, code_rate, _RATE)
        assert taps is not None
        self.register_buffer("code_filter", taps, persistent=False)
        size = _RATE + 2 * margin
        place = (torch.arange(size) - margin + 0.5) * (2 * math.pi * code_rate / _RATE)
        axis = torch.stack([torch.ones(size), math.sqrt(2) * place.cos(), math.sqrt(2) * place.sin()])
        features = (axis[:, None, :, None] * axis[None, :, None, :]).flatten(0, 1)
        self.register_buffer("features", features, persistent=False)
        self.mix = EqualizedConv2d(CODE_CHANNELS * len(features), channels, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """(N, 16, 8, 8) -> (N, channels, 32 + 2 * margin, 32 + 2 * margin)."""
        x = F.pad(codes, (_BLOCKS_AROUND,) * 4, mode="replicate")
        up = _RATE * BLOCK // 64
        # Sample i of the padded code belongs at up * (i - blocks around) + (up - 1) / 2 + margin of the output.
        before = (_TAPS - up) // 2 - up * _BLOCKS_AROUND + self.margin + up - 1
        size = self.features.shape[-1]
        after = size - x.shape[-1] * up + _TAPS - 1 - before
        x = upsample_fir(x, self.code_filter, up, (before, after))
        return self.mix((x[:, :, None] * self.features).flatten(1, 2))


@register_family("stylegan3-renderer")
class StyleGAN3Renderer(Renderer):
    """Fourier features with coded amplitudes at the rate of 32, then StyleGAN3's layers as they are.

    ``w`` is a linear function of the mean and the deviation of the code over the picture.

    Parameters
    ----------
    channel_base, channel_max, num_layers, num_critical, margin_size : int
        As in :func:`..stylegan3.layer_table`, with first cut-off 12 and first stop band 16.
    w_dim : int
        Length of ``w``.
    """

    renders: ClassVar[str] = "stylegan3"

    def __init__(
        self,
        channel_base: int,
        channel_max: int,
        num_layers: int = 4,
        num_critical: int = 2,
        margin_size: int = 4,
        w_dim: int = 64,
    ) -> None:
        super().__init__()
        self.config = {
            "channel_base": channel_base,
            "channel_max": channel_max,
            "num_layers": num_layers,
            "num_critical": num_critical,
            "margin_size": margin_size,
            "w_dim": w_dim,
        }
        bands = layer_table(
            self.resolution,
            channel_base=channel_base,
            channel_max=channel_max,
            num_layers=num_layers,
            num_critical=num_critical,
            first_cutoff=_CUTOFF,
            first_stopband=_RATE / 2,
            margin_size=margin_size,
        )
        self.style = EqualizedLinear(2 * CODE_CHANNELS, w_dim)
        self.input = CodedFourierFeatures(bands[0].channels, margin_size)
        self.layers = nn.ModuleList(
            SynthesisLayer(
                w_dim,
                source,
                target,
                is_torgb=i == num_layers,
                is_critical=i >= num_layers - num_critical,
                conv_kernel=3,
                filter_size=6,
                lrelu_upsampling=2,
                use_radial_filters=False,
                conv_clamp=None,
                magnitude_ema_beta=0.998,
            )
            for i, (source, target) in enumerate(pairwise([bands[0], *bands]))
        )

    def render(self, codes: Tensor, noise: NoiseStream | None) -> Tensor:
        """See :meth:`Renderer.render`; StyleGAN3 has no noise."""
        w = self.style(code_statistics(codes))
        x = self.input(codes)
        for layer in self.layers:
            x = layer(x, w)
        return x * 0.25
