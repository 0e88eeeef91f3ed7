from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from osbench.generation.training.hardware import Hardware
from osbench.generation.training.optimise import adam, average, descend, early_decay, restore, set_rate

pytestmark = pytest.mark.numeric


def test_descend_clips_the_norm() -> None:
    model = nn.Linear(3, 1, bias=False)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    before = model.weight.detach().clone()
    descend(optimiser, 100 * model(torch.tensor([[3.0, 4.0, 0.0]])).sum(), model, clip=2.0)
    assert (model.weight.detach() - before)[0].tolist() == pytest.approx([-1.2, -1.6, 0.0], abs=1e-5)


def test_rate_of_every_group() -> None:
    a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    optimiser = torch.optim.SGD([{"params": a.parameters()}, {"params": b.parameters(), "lr": 3.0}], lr=1.0)
    set_rate(optimiser, 0.25)
    assert [group["lr"] for group in optimiser.param_groups] == [0.25, 0.25]


def test_average_moves_parameters_and_copies_buffers() -> None:
    torch.manual_seed(0)
    target, model = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([2.0, 4.0, 8.0]))
        model.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))  # type: ignore[union-attr]
        model.num_batches_tracked.add_(7)  # type: ignore[union-attr]
    average(target, model, 0.75)
    assert target.weight.tolist() == [1.25, 1.75, 2.75]
    assert target.running_mean.tolist() == [1.0, 2.0, 3.0]  # type: ignore[union-attr]
    assert target.num_batches_tracked == 7


def test_early_decay_forgets_the_start() -> None:
    values = [early_decay(0.998, step) for step in range(10_000)]
    assert values[0] == 0.1
    assert values == sorted(values)
    assert values[-1] == 0.998


def test_kinds_of_adam() -> None:
    parameters = list(nn.Linear(1, 1).parameters())
    assert type(adam(parameters, 0.1, (0.0, 0.9), Hardware())) is torch.optim.Adam
    with_decay = adam(parameters, 0.1, (0.0, 0.9), Hardware(), decay=0.01)
    assert type(with_decay) is torch.optim.AdamW
    assert with_decay.defaults["weight_decay"] == 0.01


def test_a_state_of_another_layout_and_kernel_means_the_same() -> None:
    """The fused kernel of the CPU walks over memory: averages in another order would go to other weights."""

    def trained(layout: torch.memory_format, fused: bool) -> tuple[nn.Conv2d, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3)
        nn.Module.to(model, memory_format=layout)  # type: ignore[call-overload]
        return model, torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)

    def step(model: nn.Conv2d, optimiser: torch.optim.Optimizer) -> None:
        x = torch.arange(75.0).view(1, 3, 5, 5) / 75
        descend(optimiser, model(x).square().sum(), model)

    begun, first = trained(torch.channels_last, fused=True)
    step(begun, first)
    moved, second = trained(torch.contiguous_format, fused=False)
    moved.load_state_dict(begun.state_dict())
    restore(second, copy.deepcopy(first.state_dict()))
    assert second.param_groups[0]["fused"] is False
    assert second.state[moved.weight]["exp_avg"].stride() == moved.weight.stride()
    back, third = trained(torch.contiguous_format, fused=True)
    back.load_state_dict(begun.state_dict())
    restore(third, copy.deepcopy(first.state_dict()))
    for model, optimiser in ((begun, first), (moved, second), (back, third)):
        step(model, optimiser)
    torch.testing.assert_close(moved.weight, begun.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(back.weight, begun.weight, rtol=1e-5, atol=1e-6)
