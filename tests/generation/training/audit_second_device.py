"""Every kind of training runs on another device: layouts, reports, checkpoints, and back to the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.generation.efficientnet_lite0 import EfficientNetLite0
from osbench.generation.training import game, loop, tokens
from osbench.generation.training.bank import Bank
from osbench.generation.training.diffusion import DiffusionTraining
from osbench.generation.training.hardware import Hardware
from osbench.generation.training.loop import Training
from osbench.generation.training.teacher import load_codes, train_teacher
from tests.second_device import one_random_stream, register

from .conftest import KINDS, SIDE, Clock, MakeTraining
from .test_loop import everything, same

DEVICE = register()
SLOW_BUT_FIRST = [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
MINUTES = 4.0  # 6 steps of 40 s on the toy clock, the last ones in the second stage
THERE = {False: Hardware(DEVICE), True: Hardware(DEVICE, channels_last=True)}


@pytest.fixture(autouse=True)
def _everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens only now and then happens within these few steps; reports are small and few."""
    monkeypatch.setattr(loop, "REPORT_SECONDS", 100.0)
    for kind in (Training, DiffusionTraining):
        monkeypatch.setattr(kind, "report_images", 8)
    monkeypatch.setattr(game, "R1_EVERY", 2)
    monkeypatch.setattr(tokens, "REVIVE_EVERY", 2)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("features") / "lite0.pth"
    torch.save(EfficientNetLite0().state_dict(), path)
    return path


def devices(training: Training) -> set[str]:
    """Where the networks and the optimisers' averages are."""
    found = set()
    for name in training.stateful:
        state = getattr(training, name).state_dict()
        tensors = (
            [v for s in state["state"].values() for v in s.values()] if "param_groups" in state else state.values()
        )
        found |= {tensor.device.type for tensor in tensors if tensor.dim()}
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels_last", [pytest.param(False, marks=pytest.mark.slow), True])
def test_trains_reports_and_resumes_to_the_bit(
    kind: str, channels_last: bool, make_training: MakeTraining, tmp_path: Path
) -> None:
    hardware = THERE[channels_last]
    whole = make_training(kind, tmp_path / "whole", hardware=hardware)
    whole.run(MINUTES)
    assert devices(whole) == {DEVICE.type}
    assert all(np.isfinite(list(point.values())).all() for point in whole.progress.curve)
    assert (whole.folder / "grid.png").exists()
    killed = make_training(kind, tmp_path / "killed", hardware=hardware, stop_at=5)
    with pytest.raises(KeyboardInterrupt):
        killed.run(MINUTES)
    for place in ("cpu", DEVICE):
        torch.rand(5, device=place)  # whatever the process draws in between
    resumed = make_training(kind, tmp_path / "killed", hardware=hardware)
    assert 0 < resumed.progress.step <= 5
    resumed.run(MINUTES)
    assert devices(resumed) == {DEVICE.type}
    assert same(everything(resumed), everything(whole))


@pytest.mark.parametrize("kind", KINDS)
def test_learns_what_the_cpu_learns(kind: str, make_training: MakeTraining, tmp_path: Path) -> None:
    """The first steps alone: later ones differ by roundings that grow."""
    curves = []
    for place, hardware in (("here", Hardware()), ("there", Hardware(DEVICE))):
        with one_random_stream():
            training = make_training(kind, tmp_path / place, hardware=hardware)
            training.run(1.3)
        curves.append(training.progress.curve)
    for here, there in zip(*curves, strict=True):
        assert here == pytest.approx(there, rel=0.02)


@pytest.mark.parametrize("kind", SLOW_BUT_FIRST)
@pytest.mark.parametrize("begun_there", [False, True])
def test_a_training_moves_to_another_device(
    kind: str, begun_there: bool, make_training: MakeTraining, tmp_path: Path
) -> None:
    """And of another layout: the optimiser's averages must follow their parameters."""
    places = [Hardware(), Hardware(DEVICE, channels_last=True)]
    first, second = reversed(places) if begun_there else places
    begun = make_training(kind, tmp_path, hardware=first)
    begun.run(MINUTES)
    moved = make_training(kind, tmp_path, hardware=second)
    assert devices(moved) == {second.device.type}
    for name in moved.stateful:
        if "optimiser" in name:
            for parameter, state in getattr(moved, name).state.items():
                averages = [value for value in state.values() if value.dim()]
                assert all(value.stride() == parameter.stride() for value in averages)
    moved.run(1.4 * MINUTES)
    assert moved.progress.step > begun.progress.step
    assert np.isfinite(moved.progress.curve[-1]["swd"])


def test_projected_discriminator(make_training: MakeTraining, features: Path, tmp_path: Path) -> None:
    options = {"discriminator": "projected", "batch": 2, "features": features}
    make_training("adversarial", tmp_path, hardware=THERE[True], **options).run(2.0)
    resumed = make_training("adversarial", tmp_path, hardware=THERE[True], **options)
    resumed.run(2.6)
    assert resumed.progress.step > 3
    assert devices(resumed) == {DEVICE.type}


@pytest.mark.parametrize("channels_last", [False, True])
def test_teacher(channels_last: bool, crops: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    clock = Clock()

    def ticking() -> float:
        clock.now += 10.0
        return clock.now

    bank = Bank(crops[0], THERE[channels_last])
    train_teacher(bank, 8, 1.0, tmp_path / "codes.npz", THERE[channels_last], width=8, clock=ticking)
    codes = load_codes(tmp_path / "codes.npz")
    assert codes.mean.shape == (len(bank), 8)
    assert bank.images(np.arange(2)).shape == (2, 3, SIDE, SIDE)
    assert np.isfinite(codes.mean).all()
