"""The pretended device itself refuses what a real one refuses; the benchmark of GPUs runs on it."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests import bench_gpu
from tests.second_device import register

DEVICE = register()
HERE = torch.arange(6.0).view(2, 3)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda there: there + HERE,
        lambda there: HERE * there,
        lambda there: torch.cat([there, HERE]),
        lambda there: torch.where(HERE > 2, there, there),
        lambda there: F.mse_loss(HERE, there),
        lambda there: there.add_(HERE),
        lambda there: F.linear(there, HERE),
        lambda there: HERE[there.long()],
        lambda there: there.index_add(0, torch.tensor([0, 1]), there),
        lambda there: F.conv2d(there.view(1, 1, 2, 3), HERE.view(1, 1, 2, 3)),
        lambda there: torch.normal(0.0, 1.0, (3,), device=there.device, generator=torch.Generator()),
        lambda there: there.numpy(),
        lambda there: np.asarray(there),
        lambda there: torch.from_numpy(np.zeros(3)) @ there.T.double(),
    ],
)
def test_mistakes_are_refused(mistake: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises((RuntimeError, TypeError), match=r"device|numpy"):
        mistake(HERE.to(DEVICE))


def test_what_an_accelerator_allows() -> None:
    there = HERE.to(DEVICE)
    assert (there + torch.tensor(1.0)).device.type == DEVICE.type
    assert torch.equal(there[torch.tensor([1, 0])].cpu(), HERE.flip(0))
    there[0] = torch.zeros(3)
    assert there.view(-1)[1:4].cpu().tolist() == [0, 0, 3]
    assert torch.tensor([1.0], device=DEVICE).item() == 1.0
    assert torch.equal(HERE, HERE.to(DEVICE).t().cpu().t())


def test_its_random_stream_is_its_own() -> None:
    torch.manual_seed(3)
    draws = torch.randn(4), torch.randn(4, device=DEVICE).cpu(), torch.randn(4)
    torch.manual_seed(3)
    assert torch.equal(torch.randn(4), draws[0])
    assert torch.equal(torch.randn(4), draws[2])
    assert torch.equal(torch.randn(4, device=DEVICE).cpu(), draws[1])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("fused", [None, True])
def test_a_network_learns_as_on_the_cpu(layout: torch.memory_format, fused: bool | None) -> None:
    torch.manual_seed(0)
    here = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.GroupNorm(2, 8), nn.Conv2d(8, 4, 3))
    nn.Module.to(here, memory_format=layout)  # type: ignore[call-overload]
    there = copy.deepcopy(here).to(DEVICE)
    x, losses = torch.randn(4, 3, 8, 8), []
    for network, images in ((here, x), (there, x.to(DEVICE))):
        optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, fused=fused)
        for _ in range(3):
            optimiser.zero_grad()
            loss = network(images).square().mean()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.1)
            optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_fused_optimisers_want_one_layout() -> None:
    network = nn.Conv2d(3, 8, 3).to(DEVICE)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    network(torch.ones(1, 3, 4, 4, device=DEVICE)).sum().backward()
    optimiser.step()
    average = optimiser.state[network.weight]["exp_avg"]
    optimiser.state[network.weight]["exp_avg"] = average.contiguous(memory_format=torch.channels_last)
    with pytest.raises(RuntimeError, match="layout"):
        optimiser.step()


def test_checkpoints_cross_over() -> None:
    there = copy.deepcopy(nn.BatchNorm2d(4)).to(DEVICE)
    file = io.BytesIO()
    torch.save(there.state_dict(), file)
    for target in ("cpu", DEVICE):
        file.seek(0)
        state = torch.load(file, map_location=target, weights_only=True)
        assert {value.device.type for value in state.values()} == {torch.device(target).type}


@pytest.mark.slow
def test_the_benchmark_of_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpu, "_seconds", lambda work, repeats: work() is None or 1.0)
    sizes = bench_gpu.Sizes(generate=2, train=4, side=32, images=20, matrix=8, repeats=1)
    for generator in ("stylegan3", "taming"):
        rates = bench_gpu._generation(bench_gpu._network("mini-v1", generator, DEVICE), sizes)
        assert rates == {"batch": 2.0, "single": 1.0}
    # This device has no autocast of its own.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: torch.enable_grad())
    assert all(figure["gflop_per_image"] > 0 for figure in bench_gpu._training(DEVICE, sizes).values())
