"""Losses of the zoo's training: multi-scale reconstruction, and the discriminator's game with R1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pyramid_loss(x: Tensor, y: Tensor, levels: int = 4) -> Tensor:
    """Mean absolute difference of two image batches on ``levels`` scales, each halved by averaging."""
    total = (x - y).abs().mean()
    for _ in range(levels - 1):
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        total = total + 2 * (x - y).abs().mean()
    return total / (2 * levels - 1)


class Discriminator(nn.Module):
    """Plain convolutional critic: space-to-depth, four stride-2 convolutions, minibatch deviation, one logit."""

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


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the generator (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Mean squared gradient of the logits at real images (Mescheder et al. 2018)."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
