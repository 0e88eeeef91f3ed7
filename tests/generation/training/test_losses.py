from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osbench.generation.training import losses

pytestmark = pytest.mark.numeric


def literal_pyramid(x: np.ndarray, y: np.ndarray, levels: int) -> float:
    """Weighted mean of the mean absolute differences: 1 for the finest scale, 2 for each coarser one."""
    total, weights = 0.0, 0
    for level in range(levels):
        n, c, h, w = x.shape
        difference = sum(
            abs(float(x[i, j, k, m]) - float(y[i, j, k, m]))
            for i in range(n) for j in range(c) for k in range(h) for m in range(w)
        )  # fmt: skip
        weight = 1 if level == 0 else 2
        total += weight * difference / x.size
        weights += weight
        x, y = ((a[:, :, ::2, ::2] + a[:, :, 1::2, ::2] + a[:, :, ::2, 1::2] + a[:, :, 1::2, 1::2]) / 4 for a in (x, y))
    return total / weights


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_pyramid_loss(levels: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2, 3, 8, 8))
    ours = losses.pyramid_loss(torch.from_numpy(x), torch.from_numpy(y), levels).item()
    assert ours == pytest.approx(literal_pyramid(x, y, levels), rel=1e-12)


logits = st.lists(st.floats(-20, 20), min_size=1, max_size=6)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def as_tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(logits, logits)
def test_logistic_and_hinge_losses(real: list[float], fake: list[float]) -> None:
    r, f = as_tensor(real), as_tensor(fake)
    telling = mean([math.log(1 + math.exp(-v)) for v in real]) + mean([math.log(1 + math.exp(v)) for v in fake])
    assert losses.discriminator_loss(r, f).item() == pytest.approx(telling, rel=1e-6, abs=1e-7)
    fooling = mean([math.log(1 + math.exp(-v)) for v in fake])
    assert losses.generator_loss(f).item() == pytest.approx(fooling, rel=1e-6, abs=1e-7)
    hinge = mean([max(0, 1 - v) for v in real]) + mean([max(0, 1 + v) for v in fake])
    assert losses.hinge_discriminator_loss(r, f).item() == pytest.approx(hinge)
    assert losses.hinge_generator_loss(f).item() == pytest.approx(-mean(fake))


class Quadratic(nn.Module):
    """``D(x) = a / 2 * |x|**2``, whose gradient is ``a * x``."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a / 2 * x.square().sum((1, 2, 3))


def test_r1_of_a_quadratic() -> None:
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(5, 3, 4, 4)))
    quadratic = Quadratic(1.7)
    penalty = losses.r1_penalty(quadratic, x)
    energy = x.square().sum((1, 2, 3)).mean().item()
    assert penalty.item() == pytest.approx(1.7**2 * energy)
    penalty.backward()
    assert quadratic.a.grad is not None
    assert quadratic.a.grad.item() == pytest.approx(2 * 1.7 * energy)  # it can be trained against
    assert not x.requires_grad
