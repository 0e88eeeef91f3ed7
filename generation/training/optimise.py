"""The small steps that all trainings share: learning rate, descent with clipping, exponential moving average."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the learning rate ``rate``."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, model: nn.Module, clip: float = 5.0) -> None:
    """One step down ``loss``, the gradient of ``model`` clipped to the norm ``clip``."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimiser.step()


@torch.no_grad()
def average(target: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the parameters of ``target`` towards ``model``; buffers are copied."""
    for a, b in zip(target.parameters(), model.parameters(), strict=True):
        a.lerp_(b, 1 - decay)
    for a, b in zip(target.buffers(), model.buffers(), strict=True):
        a.copy_(b)
