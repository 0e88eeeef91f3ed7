"""ResNet-50 v2 (He et al., Identity mappings in deep residual networks, ECCV 2016): the trunk of EXIF-Net.

No embedding network of its own right (it is not registered): layers, strides and paddings are those of the published
EXIF-Net, so that its weights fit. There the stride lies in the *last* unit of a stage, convolutions without batch norm
have biases, and the first pooling pads as TensorFlow's "SAME" does.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .registry import EmbeddingNetwork

STAGES = ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1))
"""Width, units and stride of the four stages."""


def pool_same(x: Tensor) -> Tensor:
    """3x3 max pooling with stride 2, padded as TensorFlow's "SAME": on both sides where the side is odd, else after."""
    odd = x.shape[-1] % 2
    return F.max_pool2d(F.pad(x, (odd, 1, odd, 1), value=float("-inf")), 3, 2)


class PreActivationBottleneck(nn.Module):
    """BN and ReLU, then 1x1 -> 3x3 (stride) -> 1x1 with four times the width, plus the shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = 4 * width
        self.stride = stride
        self.preact = nn.BatchNorm2d(in_channels)
        self.conv1, self.bn1 = nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride) if in_channels != out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.preact(x))
        kept = x[:, :, :: self.stride, :: self.stride] if self.shortcut is None else self.shortcut(active)
        y = F.relu(self.bn1(self.conv1(active)))
        y = F.relu(self.bn2(self.conv2(y)))
        return kept + self.conv3(y)


class ResNet50V2(EmbeddingNetwork):
    """Features (B, 4096): 23.5 M parameters up to the global average pooling and a dense layer of 8.4 M."""

    minimum_size = 32

    def __init__(self, input_size: int, *, pool: str = "avg", embedding_dim: int = 4096) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        in_channels = 64
        for number, (width, units, stride) in enumerate(STAGES, 1):
            strides = [1] * (units - 1) + [stride]
            blocks = [
                PreActivationBottleneck(in_channels if i == 0 else 4 * width, width, s) for i, s in enumerate(strides)
            ]
            self.add_module(f"block{number}", nn.Sequential(*blocks))
            in_channels = 4 * width
        self.postnorm = nn.BatchNorm2d(in_channels)
        self.logits = nn.Linear(in_channels, embedding_dim)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = pool_same(self.conv1(images))
        for number in range(1, len(STAGES) + 1):
            x = getattr(self, f"block{number}")(x)
        return self.logits(F.relu(self.postnorm(x)).mean((2, 3)))
