"""ResNet-50 (He et al., CVPR 2016) in the form everybody uses: the stride lies in the 3x3 convolution."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .registry import EmbeddingNetwork, global_pool, register_network


class Bottleneck(nn.Module):
    """1x1 -> 3x3 (stride) -> 1x1 with four times the width, plus the shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


@register_network("resnet50")
class ResNet50(EmbeddingNetwork):
    """23.5 M parameters, features (B, 2048). Parameter names follow the common ones, so that weights transfer."""

    minimum_size = 32

    def __init__(self, input_size: int, *, pool: str = "avg") -> None:
        super().__init__()
        self.embedding_dim, self.pool = 2048, pool
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, 3, stride=1)
        self.layer2 = _stage(256, 128, 4, stride=2)
        self.layer3 = _stage(512, 256, 6, stride=2)
        self.layer4 = _stage(1024, 512, 3, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, Bottleneck):
                # Every block starts as its shortcut: trains steadily on few images, without pre-trained weights.
                nn.init.zeros_(module.bn3.weight)

    def maps(self, images: Tensor) -> Tensor:
        """Feature maps (B, 2048, s, s) before the global pooling."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, images: Tensor) -> Tensor:
        return global_pool(self.maps(images), self.pool)


def _stage(in_channels: int, width: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = Bottleneck(in_channels, width, stride)
    return nn.Sequential(first, *(Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)))
