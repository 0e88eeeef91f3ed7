"""Stega-CNN: the steganalysis network of Xu, Wu and Shi (IEEE SPL 23(5), 2016), used on forensics by Zhan et al."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .high_pass import HighPass
from .registry import EmbeddingNetwork, global_pool, register_network


@register_network("stega-cnn")
class StegaCnn(EmbeddingNetwork):
    """KV high pass and five convolutions with 8 to 128 kernels, each with batch norm; features (B, 128).

    Known (Xu-Net): 5x5 convolutions with tanh first, 1x1 with ReLU after, no biases; absolute values behind the first
    convolution; 5x5 average pooling with stride 2 between them, global average pooling at the end. Paper 1 cites Zhan
    et al. (IH&MMSec 2017), who transfer this network to image forensics. Readings: the original takes one grey channel
    of 512 px and paper 1 does not say what becomes of colour; here the high pass filters red, green and blue by
    themselves and the first convolution sees all three. 15,048 parameters, 0.10 G multiply-adds at 256 px.
    """

    input_range = (0.0, 255.0)
    minimum_size = 32

    def __init__(self, input_size: int, *, pool: str = "avg") -> None:
        super().__init__()
        self.embedding_dim, self.pool = 128, pool
        self.high_pass = HighPass()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 5, padding=2, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 5, padding=2, bias=False), nn.BatchNorm2d(16)
        self.conv3, self.bn3 = nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32)
        self.conv4, self.bn4 = nn.Conv2d(32, 64, 1, bias=False), nn.BatchNorm2d(64)
        self.conv5, self.bn5 = nn.Conv2d(64, 128, 1, bias=False), nn.BatchNorm2d(128)

    def forward(self, images: Tensor) -> Tensor:
        x = self.high_pass(images)
        x = _average_pool(torch.tanh(self.bn1(self.conv1(x).abs())))
        x = _average_pool(torch.tanh(self.bn2(self.conv2(x))))
        x = _average_pool(F.relu(self.bn3(self.conv3(x))))
        x = _average_pool(F.relu(self.bn4(self.conv4(x))))
        return global_pool(F.relu(self.bn5(self.conv5(x))), self.pool)


def _average_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 5, stride=2, padding=2)
