from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from osbench.core.errors import CheckpointError
from osbench.generation.training.hardware import Hardware
from osbench.generation.training.loop import Training

from .conftest import KINDS, SIDE, MakeTraining

MINUTES = 10.0  # 15 steps of 40 s on the toy clock


def everything(training: Training) -> dict[str, Any]:
    """All that the training will depend on from now on, and what it reported."""
    state = {name: getattr(training, name).state_dict() for name in training.stateful}
    return state | {"extra": training._extra_state(), "progress": asdict(training.progress)}


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("kind", KINDS)
def test_trains_to_the_end_of_its_minutes_and_reports(kind: str, make_training: MakeTraining, tmp_path: Path) -> None:
    training = make_training(kind, tmp_path / "model")
    before = {k: v.clone() for k, v in training.average.state_dict().items()}
    average = training.run(MINUTES)
    assert training.progress.step == 15
    assert training.progress.seconds == 600
    assert average is training.average
    moved = [k for k, v in average.state_dict().items() if not torch.equal(v, before[k])]
    assert len(moved) > 0.9 * len([k for k in before if before[k].is_floating_point()])
    curve = training.progress.curve
    assert [p["seconds"] for p in curve] == [*range(0, 600, 80), 600]
    assert "swd" in curve[0]
    assert "swd" in curve[-1]
    assert all(np.isfinite(list(p.values())).all() for p in curve)
    assert Image.open(training.folder / "grid.png").size == (8 * SIDE, 2 * SIDE)
    assert (training.folder / "curve.svg").read_text().startswith("<svg")
    assert json.loads((training.folder / "progress.json").read_text()) == asdict(training.progress)
    assert training.samples(3).shape == (3, SIDE, SIDE, 3)


@pytest.mark.parametrize("kind", ["tokens", "diffusion"])
def test_two_stages_report_reconstruction_first(kind: str, make_training: MakeTraining, tmp_path: Path) -> None:
    training = make_training(kind, tmp_path)
    training.run(MINUTES)
    names = ["swd" if "swd" in p else "swd_reconstruction" for p in training.progress.curve]
    stages = sorted(names[1:], reverse=True)
    assert names == ["swd", *stages]  # the untrained model's samples, then each stage's own measure
    assert len(set(stages)) == 2


@pytest.fixture(scope="module")
def uninterrupted(make_training: MakeTraining, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Training]:
    """The toy training of a kind, run through once."""

    @cache
    def run(kind: str) -> Training:
        training = make_training(kind, tmp_path_factory.mktemp(kind))
        training.run(MINUTES)
        return training

    return run


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("killed_at", [7, 14])  # in the first and in the second stage
def test_a_killed_training_ends_like_an_uninterrupted_one(
    kind: str,
    killed_at: int,
    make_training: MakeTraining,
    uninterrupted: Callable[[str], Training],
    tmp_path: Path,
) -> None:
    whole = uninterrupted(kind)
    killed = make_training(kind, tmp_path, stop_at=killed_at)
    with pytest.raises(KeyboardInterrupt):
        killed.run(MINUTES)
    torch.rand(5)  # whatever the process draws in between
    resumed = make_training(kind, tmp_path)
    assert 0 < resumed.progress.step < killed_at
    resumed.run(MINUTES)
    assert same(everything(resumed), everything(whole))


def test_a_finished_training_is_left_alone(make_training: MakeTraining, tmp_path: Path) -> None:
    make_training("adversarial", tmp_path).run(MINUTES)
    written = (tmp_path / "state.pt").stat().st_mtime_ns
    again = make_training("adversarial", tmp_path)
    again.run(MINUTES)
    assert again.progress.step == 15
    assert (tmp_path / "state.pt").stat().st_mtime_ns == written


def test_more_minutes_continue(make_training: MakeTraining, tmp_path: Path) -> None:
    make_training("tokens", tmp_path).run(MINUTES)
    more = make_training("tokens", tmp_path)
    more.run(2 * MINUTES)
    assert more.progress.step == 30


def test_another_recipe_is_refused(make_training: MakeTraining, tmp_path: Path) -> None:
    make_training("diffusion", tmp_path).run(MINUTES)
    with pytest.raises(CheckpointError, match="another recipe"):
        make_training("diffusion", tmp_path, rate=0.5)


def test_states_from_before_a_recipe_had_a_field_still_load(make_training: MakeTraining, tmp_path: Path) -> None:
    make_training("adversarial", tmp_path, augment=False).run(MINUTES)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    for name in ("discriminator", "augment"):
        del state["recipe"][name]
    del state["torch_rng"]
    torch.save(state, tmp_path / "state.pt")
    assert make_training("adversarial", tmp_path, augment=False).progress.step == 15
    state["recipe"]["of_the_future"] = 1
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(CheckpointError):
        make_training("adversarial", tmp_path, augment=False)


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_and_channels_last(kind: str, make_training: MakeTraining, tmp_path: Path) -> None:
    """What a GPU run switches on works on a CPU too, close to float32, with float32 weights."""
    figures = []
    for mixed in (False, True):
        training = make_training(kind, tmp_path / str(mixed), hardware=Hardware(mixed=mixed, channels_last=mixed))
        training.run(2.0)
        assert all(p.dtype == torch.float32 for p in training.average.parameters())
        assert all(torch.isfinite(p).all() for p in training.average.parameters())
        figures.append(training.progress.curve[1])
    key = next(k for k in figures[0] if k in ("reconstruction", "noise_mse", "nats_per_token"))
    assert figures[0][key] == pytest.approx(figures[1][key], rel=0.15)


@pytest.mark.slow
def test_compiled(make_training: MakeTraining, tmp_path: Path) -> None:
    plain, compiled = (
        make_training("adversarial", tmp_path / str(c), hardware=Hardware(compiled=c)) for c in (False, True)
    )
    plain.run(2.0)
    compiled.run(2.0)
    assert compiled.progress.curve[-1]["swd"] == pytest.approx(plain.progress.curve[-1]["swd"], rel=0.05)
