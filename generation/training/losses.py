"""Losses of the zoo's training: multi-scale reconstruction, and the discriminator's game with R1 or hinges."""

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


def edge_loss(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of two image batches' differences between neighbours, down and to the right."""
    down = ((x[:, :, 1:] - x[:, :, :-1]) - (y[:, :, 1:] - y[:, :, :-1])).abs().mean()
    right = ((x[:, :, :, 1:] - x[:, :, :, :-1]) - (y[:, :, :, 1:] - y[:, :, :, :-1])).abs().mean()
    return down + right


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the generator (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    """The generator's side of the hinge loss (Lim & Ye 2017; Sauer et al. 2021)."""
    return -fake_logits.mean()


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Hinge loss of the discriminator."""
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Mean squared gradient of the logits at real images (Mescheder et al. 2018)."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
