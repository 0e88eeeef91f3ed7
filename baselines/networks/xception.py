"""Xception (Chollet, CVPR 2017), in the layout of the public weights."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from .registry import EmbeddingNetwork, global_pool, register_network


class SeparableConv2d(nn.Module):
    """A 3x3 convolution of every channel by itself, then a 1x1 convolution across channels; no biases."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.conv1(x))


class XceptionBlock(nn.Module):
    """ReLU, separable convolution and batch norm, several times, plus a shortcut (1x1 where the shape changes).

    ``widths`` are the channels before the block and after each convolution. A stride of 2 is a max pooling at the end.
    """

    def __init__(self, *widths: int, stride: int = 1, leading_relu: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.ReLU(), SeparableConv2d(before, after), nn.BatchNorm2d(after)]
        layers = layers if leading_relu else layers[1:]
        if stride > 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.rep = nn.Sequential(*layers)
        self.skip = None
        if stride > 1 or widths[0] != widths[-1]:
            self.skip = nn.Conv2d(widths[0], widths[-1], 1, stride, bias=False)
            self.skipbn = nn.BatchNorm2d(widths[-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.rep(x) + (x if self.skip is None else self.skipbn(self.skip(x)))


@register_network("xception")
class Xception(EmbeddingNetwork):
    """20.8 M parameters, 5.95 G multiply-adds at 256 px, features (B, 2048).

    Entry flow of three strided blocks, middle flow of eight blocks of 728 channels, exit flow; global pooling and no
    dense layer, which the paper leaves optional. Parameter names follow the public weights, so that they transfer.
    A reading, not a fact: paper 1 does not say how it initialised the network; here torch's default is kept, whose
    scale batch normalisation removes.
    """

    minimum_size = 32

    def __init__(self, input_size: int, *, pool: str = "avg") -> None:
        super().__init__()
        self.embedding_dim, self.pool = 2048, pool
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, stride=2, bias=False), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, bias=False), nn.BatchNorm2d(64)
        self.block1 = XceptionBlock(64, 128, 128, stride=2, leading_relu=False)
        self.block2 = XceptionBlock(128, 256, 256, stride=2)
        self.block3 = XceptionBlock(256, 728, 728, stride=2)
        for number in range(4, 12):
            self.add_module(f"block{number}", XceptionBlock(728, 728, 728, 728))
        # The last strided block widens in its second convolution, the others in their first.
        self.block12 = XceptionBlock(728, 728, 1024, stride=2)
        self.conv3, self.bn3 = SeparableConv2d(1024, 1536), nn.BatchNorm2d(1536)
        self.conv4, self.bn4 = SeparableConv2d(1536, 2048), nn.BatchNorm2d(2048)

    def maps(self, images: Tensor) -> Tensor:
        """Feature maps (B, 2048, s, s) before the global pooling."""
        x = F.relu(self.bn1(self.conv1(images)))
        x = F.relu(self.bn2(self.conv2(x)))
        for number in range(1, 13):
            x = getattr(self, f"block{number}")(x)
        x = F.relu(self.bn3(self.conv3(x)))
        return F.relu(self.bn4(self.conv4(x)))

    def forward(self, images: Tensor) -> Tensor:
        return global_pool(self.maps(images), self.pool)
