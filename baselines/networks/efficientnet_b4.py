"""EfficientNet-B4 (Tan and Le, ICML 2019): inverted residual blocks with squeeze-and-excitation and SiLU."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .registry import EmbeddingNetwork, global_pool, register_network

WIDTH, DEPTH = 1.4, 1.8
"""Compound scaling of B0 to B4: channels and repetitions are multiplied by these."""

# One row per stage of B0: (expansion, channels, repetitions, stride, kernel), table 1 of the paper.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM, HEAD = 32, 1280
DROP_PATH = 0.2


def scaled_channels(channels: int) -> int:
    """``channels`` x 1.4, rounded to a multiple of 8 but never below 90 % of the product."""
    wanted = channels * WIDTH
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def convolution(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution without bias, padded by half the kernel, and batch norm."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels, eps=1e-3),
    )


class SqueezeExcitation(nn.Module):
    """Channels weighted by a gate that sees their means."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(F.silu(self.reduce(x.mean((2, 3), keepdim=True)))))


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, squeeze-and-excitation, linear 1x1 projection, shortcut where shapes agree.

    The squeeze has a quarter of the block's *input* channels. In training the residual of an image is dropped with
    probability ``drop`` (stochastic depth) and scaled up otherwise.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int, kernel: int, drop: float):
        super().__init__()
        width = in_channels * expansion
        self.expand = convolution(in_channels, width, 1) if expansion != 1 else None
        self.depthwise = convolution(width, width, kernel, stride, groups=width)
        self.gate = SqueezeExcitation(width, max(1, in_channels // 4))
        self.project = convolution(width, out_channels, 1)
        self.shortcut, self.drop = stride == 1 and in_channels == out_channels, drop

    def forward(self, images: Tensor) -> Tensor:
        x = images if self.expand is None else F.silu(self.expand(images))
        x = self.project(self.gate(F.silu(self.depthwise(x))))
        if not self.shortcut:
            return x
        if self.training and self.drop > 0:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
            x = x * kept / (1.0 - self.drop)
        return images + x


@register_network("efficientnet-b4")
class EfficientNetB4(EmbeddingNetwork):
    """17.5 M parameters, features (B, 1792), 1.96 G multiply-adds at 256 px.

    Symmetric padding (the TensorFlow original pads the odd pixel at the end); batch norm keeps torch's momentum of
    0.1, because the original's 0.01 needs many more steps than a small training set has.
    """

    minimum_size = 32

    def __init__(self, input_size: int, *, pool: str = "avg") -> None:
        super().__init__()
        self.pool = pool
        channels = scaled_channels(STEM)
        self.stem = convolution(3, channels, 3, stride=2)
        repeats = [math.ceil(DEPTH * row[2]) for row in STAGES]
        blocks: list[nn.Module] = []
        for (expansion, base, _, stride, kernel), count in zip(STAGES, repeats, strict=True):
            for i in range(count):
                drop = DROP_PATH * len(blocks) / sum(repeats)
                out = scaled_channels(base)
                blocks.append(InvertedResidual(channels, out, expansion, stride if i == 0 else 1, kernel, drop))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.embedding_dim = scaled_channels(HEAD)
        self.head = convolution(channels, self.embedding_dim, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, InvertedResidual) and module.shortcut:
                # Every block starts as its shortcut, as in the ResNet-50 here: steadier without pre-trained weights.
                nn.init.zeros_(module.project[1].weight)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(F.silu(self.stem(images)))
        return global_pool(F.silu(self.head(x)), self.pool)
