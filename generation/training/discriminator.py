"""The small discriminator that every family of the zoo plays against unless its recipe says otherwise."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Discriminator(nn.Module):
    """Plain convolutional critic: space-to-depth, stride-2 convolutions down to 4x4, minibatch deviation, one logit."""

    def __init__(self, size: int, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, width, 3, 1, 1), nn.LeakyReLU(0.2)]
        side, channels = size // 2, width
        while side > 4:
            out = min(2 * channels, 6 * width)
            layers += [nn.Conv2d(channels, out, 4, 2, 1), nn.LeakyReLU(0.2)]
            side, channels = side // 2, out
        self.features = nn.Sequential(*layers)
        self.last = nn.Conv2d(channels + 1, channels, 3, 1, 1)
        self.logit = nn.Linear(channels * 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, S, S) -> logits (N,)."""
        h = self.features(x)
        deviation = (h.var(0, unbiased=False) + 1e-8).sqrt().mean().expand(len(h), 1, *h.shape[2:])
        h = F.leaky_relu(self.last(torch.cat([h, deviation], 1)), 0.2)
        return self.logit(h.flatten(1)).squeeze(1)
