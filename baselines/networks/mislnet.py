"""MISLNet with the constrained convolution of Bayar and Stamm (IEEE TIFS 13(11), 2018), for RGB images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .registry import EmbeddingNetwork, register_network


class ConstrainedConv2d(nn.Module):
    """Prediction-error filters: every kernel has -1 in its centre and its other weights sum to 1.

    The constraint is part of the forward pass. The free weights are projected orthogonally onto it, excluding the
    centre, w <- w - (sum_off w - 1) / (k^2 - 1), which is exact, differentiable and needs no division by a sum that
    may vanish. So it holds before, during and after every optimiser step.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        off_centre = torch.ones(kernel_size, kernel_size)
        off_centre[kernel_size // 2, kernel_size // 2] = 0.0
        self.register_buffer("off_centre", off_centre, persistent=False)

    def kernels(self) -> Tensor:
        """The constrained kernels (out, in, k, k)."""
        mask: Tensor = self.off_centre  # type: ignore[assignment]
        # float64: the sum of 24 weights far from 0 would round the constraint itself by more than 1e-6.
        free = (self.weight * mask).double()
        excess = (free.sum((2, 3), keepdim=True) - 1.0) / mask.sum()
        return ((free - excess) * mask - (1.0 - mask)).to(self.weight.dtype)

    def forward(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self.kernels())


def _max_pool(x: Tensor) -> Tensor:
    """3x3 max pooling with stride 2; on maps smaller than 3 pixels the window is the map."""
    return F.max_pool2d(x, min(3, x.shape[-1]), stride=2)


def _pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zero padding of TensorFlow's "SAME": the odd pixel goes to the right and the bottom."""
    size = x.shape[-1]
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    before, after = total // 2, total - total // 2
    return F.pad(x, (before, after, before, after))


@register_network("mislnet")
class MISLNet(EmbeddingNetwork):
    """Constrained convolution (3 -> 6), four convolutions with BN and tanh, two tanh layers of 200.

    Six constrained filters and max pooling everywhere, as in the RGB networks that the same laboratory published after
    the paper (which has three filters on the green channel). The embedding is the last tanh layer: (B, 200) within
    [-1, 1]. 1.256 M parameters for 256 px, 0.437 M for 128 px (without a classification layer).
    """

    input_range = (0.0, 255.0)
    minimum_size = 32

    def __init__(self, input_size: int, *, pool: str = "avg", embedding_dim: int = 200) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.constrained = ConstrainedConv2d(3, 6, 5)
        self.conv1, self.bn1 = nn.Conv2d(6, 96, 7, stride=2), nn.BatchNorm2d(96)
        self.conv2, self.bn2 = nn.Conv2d(96, 64, 5, padding=2), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 64, 5, padding=2), nn.BatchNorm2d(64)
        self.conv4, self.bn4 = nn.Conv2d(64, 128, 1), nn.BatchNorm2d(128)
        side = _pooled_side(input_size)
        self.fc1 = nn.Linear(side * side * 128, embedding_dim)
        self.fc2 = nn.Linear(embedding_dim, embedding_dim)

    def forward(self, images: Tensor) -> Tensor:
        x = self.constrained(images)
        x = _max_pool(torch.tanh(self.bn1(self.conv1(_pad_same(x, 7, 2)))))
        x = _max_pool(torch.tanh(self.bn2(self.conv2(x))))
        x = _max_pool(torch.tanh(self.bn3(self.conv3(x))))
        x = _max_pool(torch.tanh(self.bn4(self.conv4(x))))
        return torch.tanh(self.fc2(torch.tanh(self.fc1(x.flatten(1)))))


def _pooled_side(input_size: int) -> int:
    """Side of the feature map that enters the first dense layer (6 for 256 px, 2 for 128 px, 1 for 48 px)."""
    side = -(-(input_size - 4) // 2)
    for _ in range(4):
        side = (side - min(3, side)) // 2 + 1
    return side
