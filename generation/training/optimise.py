"""The small steps that all trainings share: learning rate, descent with clipping, exponential moving average."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .hardware import Hardware


def adam(
    parameters: Iterable[nn.Parameter],
    rate: float,
    betas: tuple[float, float],
    hardware: Hardware,
    decay: float | None = None,
) -> torch.optim.Optimizer:
    """Adam, or with ``decay`` AdamW, on an accelerator in one kernel."""
    fused = None if hardware.device.type == "cpu" else True
    if decay is None:
        return torch.optim.Adam(parameters, lr=rate, betas=betas, fused=fused)
    return torch.optim.AdamW(parameters, lr=rate, betas=betas, weight_decay=decay, fused=fused)


def restore(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take back a ``state_dict`` that may come from another device or memory layout.

    How an optimiser computes belongs to the device it runs on, and its averages must lie in memory as the parameters
    do: fused kernels walk over both without looking at strides, or refuse.
    """
    ways = [{way: group[way] for way in ("fused", "foreach") if way in group} for group in optimiser.param_groups]
    groups = [{**group, **own} for group, own in zip(state["param_groups"], ways, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": groups})
    for parameter, averages in optimiser.state.items():
        for name, value in averages.items():
            if value.dim() and value.shape == parameter.shape:
                averages[name] = torch.empty_like(parameter).copy_(value)


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
    get_ema_multi_avg_fn(decay)(list(target.parameters()), list(model.parameters()), None)
    for a, b in zip(target.buffers(), model.buffers(), strict=True):
        a.copy_(b)


def early_decay(ceiling: float, step: int) -> float:
    """Decay of the moving average: small at first, so that the random start is soon forgotten."""
    return min(ceiling, (1 + step) / (10 + step))
