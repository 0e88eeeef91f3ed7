from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.core.errors import CheckpointError, DatasetError, UsageError
from osbench.generation.block_code import fit_block_code
from osbench.generation.families import load_safetensors_generator
from osbench.generation.training.matched.export import choose_moment
from osbench.generation.training.matched.figures import figures
from osbench.generation.training.matched.rendering import RenderRecipe, RenderTraining, energy_loss
from osbench.generation.training.matched.work_folder import load_plan

CONFIG = {"channels": [8, 8, 8, 8]}


def pictures(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 4, 4, 3)).repeat(16, 1).repeat(16, 2)
    return (coarse * 0.8 + rng.integers(0, 40, coarse.shape)).astype(np.uint8)


def training(folder: Path, stop_at: int | None = None, **recipe: Any) -> RenderTraining:
    """A toy renderer on a clock that every step winds on by 20 seconds."""
    bank, held = pictures(24, 0), pictures(8, 1)
    code = fit_block_code(bank)
    now = [0.0]
    made = RenderTraining(
        RenderRecipe("progan-renderer", CONFIG, batch=4, **{"luma": 60.0, **recipe}),
        code.encode(bank), code.encode(held), bank, held, folder, clock=lambda: now[0],
    )  # fmt: skip
    step = made._step

    def timed(elapsed: float) -> dict[str, torch.Tensor]:
        if made.progress.step == stop_at:
            raise KeyboardInterrupt
        now[0] += 20.0
        return step(elapsed)

    made._step = timed  # type: ignore[method-assign]
    return made


def test_it_learns_the_pictures_and_keeps_its_moments(tmp_path: Path) -> None:
    made = training(tmp_path)
    made.run(20)
    curve = made.progress.curve
    assert curve[-1]["luma"] > curve[0]["luma"] + 2
    assert made.progress.step == 60
    for point in curve:
        moment = load_safetensors_generator(tmp_path / "moments" / f"{int(point['step']):06d}.safetensors")
        assert moment.config == CONFIG
    # What is exported is what the report measured, up to float16 weights.
    last = load_safetensors_generator(tmp_path / "moments" / f"{made.progress.step:06d}.safetensors")
    held = pictures(8, 1)
    again = last.sample(range(1, 9), codes=made.held_codes)  # type: ignore[call-arg]
    assert figures(again, held).luma == pytest.approx(curve[-1]["luma"], abs=0.05)


def test_an_interrupted_training_continues_to_the_bit(tmp_path: Path) -> None:
    whole = training(tmp_path / "whole").run(10)
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path / "parts", stop_at=25).run(10)
    rest = training(tmp_path / "parts")
    assert 0 < rest.progress.step <= 25
    for (name, a), b in zip(whole.state_dict().items(), rest.run(10).state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)
    assert rest.progress.step == 30


def test_the_aim_ends_it_and_may_move(tmp_path: Path) -> None:
    made = training(tmp_path, luma=5.0, chroma=99.0)
    made.run(20)
    assert made.finished
    assert made.progress.step < 60
    moved = training(tmp_path, luma=60.0)
    assert moved.progress.step == made.progress.step
    with pytest.raises(CheckpointError, match="another recipe"):
        training(tmp_path, learning_rate=1e-5)


def test_colour_and_sharpness_are_steered(tmp_path: Path) -> None:
    """A training that is asked for more colour than it has weighs colour more; likewise for sharpness."""
    asked = {}
    for chroma, sharpness in ((10.0, 0.1), (90.0, 1.9)):
        made = training(tmp_path / str(chroma), chroma=chroma, sharpness=sharpness)
        made.run(5)
        asked[chroma] = made.chroma_weight, made.asked_sharpness
    assert asked[90.0][0] > 2 > asked[10.0][0]
    assert asked[90.0][1] > asked[10.0][1]


def test_the_moment_nearest_to_the_aim(tmp_path: Path) -> None:
    points = [
        {"step": 1, "seconds": 1.0, "luma": 20.0, "chroma": 28.0, "sharpness": 0.7},
        {"step": 2, "seconds": 2.0, "luma": 23.0, "chroma": 29.0, "sharpness": 0.7},
        {"step": 3, "seconds": 3.0, "luma": 23.0, "chroma": 29.0, "sharpness": 0.5},
    ]
    (tmp_path / "progress.json").write_text(json.dumps({"curve": points}))
    (tmp_path / "moments").mkdir()
    for point in points:
        (tmp_path / "moments" / f"{point['step']:06d}.safetensors").touch()
    aim = {"luma": 23.0, "chroma": 29.0, "sharpness": 0.7}
    assert choose_moment(tmp_path, aim).path.stem == "000002"
    assert choose_moment(tmp_path, aim | {"luma": 20.3, "chroma": 28.0}).path.stem == "000001"
    with pytest.raises(DatasetError, match="no training here"):
        choose_moment(tmp_path / "elsewhere", aim)


def test_energy_is_asked_for_where_there_is_some() -> None:
    target = torch.zeros(1, 1, 32, 32)
    target[..., :16] = torch.rand(16)[None, None, None, :]
    assert energy_loss(target, target, 1.0) == 0
    assert energy_loss(0.5 * target, target, 0.5).item() == pytest.approx(0, abs=1e-6)
    assert energy_loss(target.flip(3), target, 1.0) > energy_loss(0.9 * target, target, 1.0)


def test_the_plan_gives_all_models_one_aim() -> None:
    plan = load_plan()
    assert len(plan.names()) == 21
    recipes = [plan.recipe(name) for name in plan.names()]
    assert {(r.luma, r.chroma, r.sharpness) for r in recipes} == {tuple(plan.aim.values())}
    assert [plan.recipe(f"progan/{w}").seed for w in plan.weights] == [0, 1, 2]
    with pytest.raises(UsageError, match="unknown model 'progan/w9'"):
        plan.recipe("progan/w9")
