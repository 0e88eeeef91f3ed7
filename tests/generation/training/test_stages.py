"""What each kind of training does on its way; what they share is in test_loop.py."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch

from osbench.generation.training.adversarial import AdversarialTraining
from osbench.generation.training.diffusion import DiffusionTraining
from osbench.generation.training.tokens import REVIVE_EVERY, TokenTraining

from .conftest import MakeTraining


def copy(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


def unchanged(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


def test_warm_up_is_reconstruction_alone(make_training: MakeTraining, tmp_path: Path) -> None:
    training = cast(AdversarialTraining, make_training("adversarial", tmp_path))
    before = copy(training.discriminator)
    assert set(training._step(0.1)) == {"reconstruction"}
    assert unchanged(training.discriminator, before)
    assert set(training._step(0.5)) == {"reconstruction", "generator", "discriminator"}
    assert not unchanged(training.discriminator, before)
    assert training.progress.images == 8


def test_generator_learns_its_codes(make_training: MakeTraining, tmp_path: Path) -> None:
    training = make_training("adversarial", tmp_path, batch=16)
    values = [float(training._step(0.0)["reconstruction"]) for _ in range(40)]
    assert sum(values[-5:]) < 0.8 * sum(values[:5])


def test_learning_rates_fall_at_the_end(make_training: MakeTraining, tmp_path: Path) -> None:
    training = cast(AdversarialTraining, make_training("adversarial", tmp_path, learning_rate=1.0))
    rates = []
    for elapsed in (0.0, 0.5, 0.9, 1.0):
        training._step(elapsed)
        rates.append(training.g_optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([1.0, 1.0, 0.55, 0.05])


def test_each_stage_moves_its_own_part(make_training: MakeTraining, tmp_path: Path) -> None:
    tokens = cast(TokenTraining, make_training("tokens", tmp_path / "t"))
    vqgan, transformer = copy(tokens.average.vqgan), copy(tokens.average.transformer)
    tokens._step(0.0)
    assert not unchanged(tokens.average.vqgan, vqgan)
    assert unchanged(tokens.average.transformer, transformer)
    vqgan = copy(tokens.average.vqgan)
    tokens._step(0.9)
    assert unchanged(tokens.average.vqgan, vqgan)
    assert not unchanged(tokens.average.transformer, transformer)
    assert tokens.tokens is not None
    assert tokens.tokens.shape == (48, 16)
    tokens._step(0.0)  # more minutes were given: the first stage goes on, and its codes are no longer true
    assert tokens.tokens is None


def test_dead_codes_are_moved_onto_pictures(make_training: MakeTraining, tmp_path: Path) -> None:
    training = cast(TokenTraining, make_training("tokens", tmp_path))
    embedding = cast(torch.nn.Embedding, training.model.vqgan.quantize.embedding)
    with torch.no_grad():
        embedding.weight[8:] = 1e3  # nothing will ever choose these
    training.progress.step = REVIVE_EVERY
    training._step(0.0)
    assert (embedding.weight[8:].abs() < 100).all()
    assert (training.usage[8:] == 1).all()


def test_latents_have_unit_deviation(make_training: MakeTraining, tmp_path: Path) -> None:
    training = cast(DiffusionTraining, make_training("diffusion", tmp_path))
    autoencoder = copy(training.average.autoencoder)
    training._step(0.9)
    assert training.latents is not None
    assert training.latents.std().item() == pytest.approx(1, abs=1e-3)
    factors = {m.config["scaling_factor"] for m in (training.model, training.average)}
    assert len(factors) == 1
    assert unchanged(training.average.autoencoder, autoencoder)
    assert unchanged(training.model.autoencoder, autoencoder)
