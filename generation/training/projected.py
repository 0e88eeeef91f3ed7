"""Discrimination in the features of a frozen network (Sauer et al., "Projected GANs Converge Faster", NeurIPS 2021).

Images go through EfficientNet-Lite0; its four scales are mixed across channels and then, from coarse to fine, across
scales by random convolutions that are never trained (section 3.2); one small discriminator judges each scale.
Not as in the paper: no up-sampling after the last mixing, and group norm instead of batch norm in the discriminators.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ..efficientnet_lite0 import STAGE_CHANNELS, EfficientNetLite0

SIDE = 224  # the backbone was trained at this size


class _Head(nn.Sequential):
    """Feature map (N, C, s, s) to patch logits (N, M): stride-2 convolutions down to 8 px or less, then one kernel."""

    def __init__(self, channels: int, side: int, width: int) -> None:
        widths, layers = [channels], list[nn.Module]()
        while side > 8:
            widths.append(min(2 * width, 512))
            side, width = side // 2, widths[-1]
        for inputs, outputs in pairwise(widths):
            convolution = spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
            layers += [convolution, nn.GroupNorm(8, outputs), nn.LeakyReLU(0.2)]
        layers += [spectral_norm(nn.Conv2d(widths[-1], 1, min(4, side), bias=False)), nn.Flatten()]
        super().__init__(*layers)


class ProjectedDiscriminator(nn.Module):
    """Images (N, 3, S, S) in [-1, 1] -> logits (N, M), all patches of all scales.

    width: channels of the finest mixed scale (a multiple of 8), doubled at every coarser one. Only the heads have
    parameters that require gradients.
    """

    def __init__(self, backbone: EfficientNetLite0, width: int = 64, side: int = SIDE) -> None:
        super().__init__()
        self.side = side
        self.backbone = backbone
        widths = [width * 2**i for i in range(len(STAGE_CHANNELS))]
        self.across_channels = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(STAGE_CHANNELS, widths, strict=True))
        self.across_scales = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairwise(widths))
        self.requires_grad_(False)
        sides = [-(-side // 4 // 2**i) for i in range(len(widths))]
        self.heads = nn.ModuleList(_Head(w, s, w) for w, s in zip(widths, sides, strict=True))

    def train(self, mode: bool = True) -> Self:
        """The backbone always stays in evaluation: its batch norms must not move."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, size=(self.side, self.side), mode="bilinear")
        mixed = list(self._mixed(x))
        # Spectral norms are estimated in float32, whatever precision the frozen part runs in.
        with torch.autocast(x.device.type, enabled=False):
            logits = [cast(Tensor, head(scale.float())) for head, scale in zip(self.heads, mixed, strict=True)]
        return torch.cat(logits, 1)

    def _mixed(self, x: Tensor) -> Iterator[Tensor]:
        """The mixed scales, fine to coarse."""
        scales = [mix(s) for mix, s in zip(self.across_channels, self.backbone.stages(x), strict=True)]
        for i in reversed(range(len(scales) - 1)):
            coarse = F.interpolate(scales[i + 1], size=scales[i].shape[2:], mode="bilinear")
            scales[i] = scales[i] + self.across_scales[i](coarse)
        yield from scales
