from __future__ import annotations

import pytest
import torch
from torch import nn

from osbench.generation.training.muon import Muon, orthogonal


def test_singular_values_come_near_one_and_vectors_stay() -> None:
    x = torch.randn(3, 8, 20, generator=torch.Generator().manual_seed(0))
    found = orthogonal(x).float()
    assert found.shape == x.shape
    for before, after in zip(x, found, strict=True):
        u, _, v = torch.linalg.svd(before, full_matrices=False)
        turned = u.T @ after @ v.T
        assert 0.6 < turned.diagonal().min() < turned.diagonal().max() < 1.3
        assert (turned - turned.diagonal().diag()).abs().max() < 0.05  # bfloat16


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (6, 2, 3, 3)])
def test_a_step_is_as_large_as_adams(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(shape))
    before = parameter.detach().clone()
    parameter.grad = torch.randn(shape)
    Muon([parameter], lr=0.01, decay=0.0).step()
    step = before - parameter.detach()
    assert step.square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.35)
    assert (step * parameter.grad).sum() > 0


def test_matrices_of_one_shape_go_together_and_alone_alike() -> None:
    torch.manual_seed(0)
    start = [torch.randn(4, 6), torch.randn(6, 4), torch.randn(4, 6), torch.randn(3, 3)]
    gradients = [torch.randn_like(x) for x in start]

    def run(groups: list[list[int]]) -> list[torch.Tensor]:
        parameters = [nn.Parameter(x.clone()) for x in start]
        optimisers = [Muon([parameters[i] for i in group], lr=0.1) for group in groups]
        for _ in range(3):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            for optimiser in optimisers:
                optimiser.step()
        return [p.detach() for p in parameters]

    for a, b in zip(run([[0, 1, 2, 3]]), run([[0], [1], [2], [3]]), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=0.0)


def test_it_finds_the_minimum() -> None:
    torch.manual_seed(0)
    target, parameter = torch.randn(5, 7), nn.Parameter(torch.zeros(5, 7))
    optimiser = Muon([parameter], lr=0.3, decay=0.0)
    for step in range(200):
        optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        optimiser.zero_grad()
        (parameter - target).square().sum().backward()
        optimiser.step()
    assert (parameter - target).abs().max() < 0.1


def test_parameters_without_a_gradient_stay() -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    Muon([parameter], lr=0.1).step()
    assert torch.equal(parameter.detach(), torch.ones(2, 2))
