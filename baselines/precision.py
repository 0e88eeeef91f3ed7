"""In which number format a network is trained on a CPU: float32, or bfloat16 under autocast where that is faster.

Processors with matrix units for bfloat16 (AMX, AVX-512 BF16) train convolutional networks several times faster in it;
others emulate it and are slower. The format is recorded in the run, since results differ within training noise.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..core.progress import get_logger
from .training import seeded_torch

FLOAT32, BFLOAT16, AUTO = "float32", "bfloat16", "auto"
PRECISIONS = (FLOAT32, BFLOAT16, AUTO)

GAIN = 1.25
"""``auto`` takes bfloat16 where a training step is at least this many times faster."""

_STEPS = 3

M = TypeVar("M", bound=nn.Module)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context of a training step; float32 changes nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == BFLOAT16)


def choose_precision(
    precision: str,
    model: M,
    loss: Callable[[M, Tensor, Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
) -> str:
    """``float32`` or ``bfloat16``; ``auto`` times a few training steps of a copy of the model in both.

    Parameters
    ----------
    precision : str
        One of ``PRECISIONS``.
    model : nn.Module
        Is not changed, nor are torch's random streams.
    loss : callable
        Mean loss of (model, inputs, labels).
    inputs, labels : Tensor
        A batch as in training.

    Returns
    -------
    str
        On other devices than the CPU ``auto`` means float32: the format of GPU runs is not chosen by their speed.
    """
    if precision != AUTO:
        return precision
    if inputs.device.type != "cpu":
        return FLOAT32
    seconds = {name: _step_seconds(name, model, loss, inputs, labels) for name in (FLOAT32, BFLOAT16)}
    gain = seconds[FLOAT32] / seconds[BFLOAT16]
    chosen = BFLOAT16 if gain >= GAIN else FLOAT32
    get_logger().info("a training step is %.1f times as fast in bfloat16: training in %s", gain, chosen)
    return chosen


def _step_seconds(
    precision: str,
    model: M,
    loss: Callable[[M, Tensor, Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
) -> float:
    twin = copy.deepcopy(model).train()
    best = float("inf")
    with seeded_torch(0):
        for _ in range(_STEPS):
            start = time.perf_counter()
            with autocast(inputs.device, precision):
                value = loss(twin, inputs, labels)
            value.backward()
            best = min(best, time.perf_counter() - start)
            twin.zero_grad(set_to_none=True)
    return best
