"""What the trainings on captioned pictures do on their way; what all trainings share is in test_loop.py."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from osbench.generation.families.latent_flow import LatentFlow
from osbench.generation.families.token_transformer import TokenTransformer
from osbench.generation.training.captioned import CaptionedTraining
from osbench.generation.training.captioned_game import CaptionedGame

from .conftest import CAPTIONED, CAPTIONS, MakeTraining
from .test_stages import copy, unchanged


def make(make_training: MakeTraining, folder: Path, family: str, **recipe: object) -> CaptionedTraining:
    return cast(CaptionedTraining, make_training("captioned", folder, family=family, **recipe))


@pytest.mark.parametrize("family", ["latent_flow", "token_transformer"])
def test_the_autoencoder_comes_first_and_then_rests(family: str, make_training: MakeTraining, tmp_path: Path) -> None:
    training = make(make_training, tmp_path, family)
    assert isinstance(training.average, LatentFlow | TokenTransformer)
    assert isinstance(training.model, LatentFlow | TokenTransformer)
    autoencoder = training.average.autoencoder
    before, learned = copy(autoencoder), copy(training.average.learned())
    assert set(training._step(0.0)) == {"reconstruction"}
    assert not unchanged(autoencoder, before)
    assert unchanged(training.average.learned(), learned)
    before = copy(autoencoder)
    for _ in range(3):
        assert set(training._step(0.9)) == {"code_loss"}
    assert unchanged(autoencoder, before)
    assert unchanged(training.model.autoencoder, before)
    assert not unchanged(training.average.learned(), learned)


def test_latents_are_measured_once_the_autoencoder_rests(make_training: MakeTraining, tmp_path: Path) -> None:
    training = make(make_training, tmp_path, "latent_flow")
    training._step(0.0)
    training._step(0.9)
    assert training.codes is not None
    torch.testing.assert_close(training.codes.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0.0)
    torch.testing.assert_close(training.codes.std((0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0.0)


def test_without_an_autoencoder_codes_are_learned_at_once(make_training: MakeTraining, tmp_path: Path) -> None:
    training = make(make_training, tmp_path, "pixel_diffusion")
    assert set(training._step(0.0)) == {"code_loss"}
    training.run(2.0)
    assert training.samples(4).shape == (4, 32, 32, 3)


@pytest.mark.parametrize("family", sorted(CAPTIONED))
def test_it_learns_its_codes(family: str, make_training: MakeTraining, tmp_path: Path) -> None:
    training = make(make_training, tmp_path, family, batch=16, code_rate=1e-2)
    if training.share:
        training._step(0.0)
    losses = [float(training._step(0.5)["code_loss"]) for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.97 * np.mean(losses[:10])


def test_each_picture_gets_its_own_caption(make_training: MakeTraining, tmp_path: Path) -> None:
    training = make(make_training, tmp_path, "latent_flow")
    rows = np.array([0, 1, 5, 9])
    expected = training.model.captions.bags([CAPTIONS[i % 3] for i in rows])
    assert torch.equal(training._bags(rows), expected)
    assert torch.equal(training._bags(rows, dropout=1.0), training.model.captions.without(expected))
    torch.manual_seed(0)
    many = training._bags(np.zeros(2000, np.int64), dropout=0.1)
    assert 0.07 < (many[:, -1] == 1).float().mean() < 0.13


def test_samples_are_the_captions_in_turn(make_training: MakeTraining, tmp_path: Path) -> None:
    training = make(make_training, tmp_path, "latent_flow")
    training.run(2.0)
    expected = training.average.sample([100_000 + i for i in range(4)], prompts=[*CAPTIONS, CAPTIONS[0]])
    np.testing.assert_array_equal(training.samples(4), expected)


def test_the_game_begins_after_the_warm_up(make_training: MakeTraining, tmp_path: Path) -> None:
    training = cast(CaptionedGame, make_training("captioned-game", tmp_path))
    before = copy(training.discriminator)
    assert set(training._step(0.1)) == {"reconstruction", "divergence"}
    assert unchanged(training.discriminator, before)
    assert set(training._step(0.5)) == {"reconstruction", "divergence", "generator", "discriminator"}
    assert not unchanged(training.discriminator, before)


def test_the_gan_learns_to_rebuild(make_training: MakeTraining, tmp_path: Path) -> None:
    training = make_training("captioned-game", tmp_path, batch=16)
    values = [float(training._step(0.0)["reconstruction"]) for _ in range(40)]
    assert sum(values[-5:]) < 0.9 * sum(values[:5])
