"""A toy zoo: 32 px, a few dozen crops, networks of a few thousand parameters, and a clock that a test winds on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osbench.generation.training.adversarial import AdversarialRecipe, AdversarialTraining
from osbench.generation.training.diffusion import DiffusionRecipe, DiffusionTraining
from osbench.generation.training.hardware import Hardware
from osbench.generation.training.loop import Training
from osbench.generation.training.plan import Plan
from osbench.generation.training.stand_in import stand_in_pictures
from osbench.generation.training.teacher import Codes
from osbench.generation.training.tokens import TokenRecipe, TokenTraining

SIDE = 32

ADVERSARIAL = {"z_dim": 8, "img_resolution": SIDE, "channels": [16, 16, 8, 8], "blocks": "big"}
TOKENS = {
    "vqgan": {
        "resolution": SIDE, "n_embed": 16, "embed_dim": 4, "z_channels": 4, "ch": 8, "ch_mult": [1, 1, 1, 1],
        "num_res_blocks": 1, "norm_num_groups": 4,
    },
    "transformer": {"vocab_size": 16, "block_size": 16, "n_layer": 1, "n_head": 2, "n_embd": 8, "dropout": 0.1},
}  # fmt: skip
DIFFUSION = {
    "autoencoder": {
        "sample_size": SIDE, "latent_channels": 4, "block_out_channels": [8, 8, 8], "layers_per_block": 1,
        "norm_num_groups": 4,
        "down_block_types": ["DownEncoderBlock2D"] * 3, "up_block_types": ["UpDecoderBlock2D"] * 3,
    },
    "unet": {
        "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 8], "layers_per_block": 1,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "cross_attention_dim": 8, "attention_head_dim": 4, "norm_num_groups": 4,
    },
    "steps": 2,
}  # fmt: skip

KINDS = ("adversarial", "tokens", "diffusion")

MakeTraining = Callable[..., Training]


class Clock:
    """Seconds that pass only when a training takes a step: 40 each."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wind(self, training: Training, stop_at: int | None = None) -> Training:
        """Let every step of ``training`` take time; the step number ``stop_at`` is never finished."""
        step = training._step

        def timed(elapsed: float) -> dict[str, Any]:
            if training.progress.step == stop_at:
                raise KeyboardInterrupt
            self.now += 40.0
            return step(elapsed)

        training._step = timed  # type: ignore[method-assign]
        return training


@pytest.fixture(scope="session")
def crops() -> tuple[np.ndarray, np.ndarray]:
    """Training crops (48, 32, 32, 3) and held-out crops (16, 32, 32, 3)."""
    pictures = stand_in_pictures(48, count=24)
    return pictures.crops(SIDE, 48)[0], pictures.crops(SIDE, 16, 1, held_out=True)[0]


@pytest.fixture(scope="session")
def make_training(crops: tuple[np.ndarray, np.ndarray]) -> MakeTraining:
    """``make_training(kind, folder, hardware=..., **recipe)``: a toy training on a clock of its own."""
    bank, held_out = crops
    rng = np.random.default_rng(0)
    codes = Codes(rng.normal(size=(len(bank), 8)).astype(np.float32), np.full((len(bank), 8), 0.1, np.float32))

    def make(
        kind: str,
        folder: Path,
        *,
        hardware: Hardware | None = None,
        stop_at: int | None = None,
        features: Path | None = None,
        **recipe: Any,
    ) -> Training:
        clock, options = Clock(), {"batch": 4, "width": 8, **recipe}
        rest = (held_out, folder, hardware, clock)
        if kind == "adversarial":
            options = {"config": ADVERSARIAL, "augment": True, **options}
            plan = AdversarialRecipe("projected_gan", **options)
            training: Training = AdversarialTraining(plan, bank, codes, *rest, features=features)
        elif kind == "tokens":
            training = TokenTraining(TokenRecipe("taming", TOKENS, token_batch=4, **options), bank, *rest)
        else:
            recipe_ = DiffusionRecipe("latent_diffusion", DIFFUSION, noise_batch=4, **options)
            training = DiffusionTraining(recipe_, bank, np.arange(len(bank)) % 3, *rest)
        return clock.wind(training, stop_at)

    return make


@pytest.fixture
def toy_plan() -> Plan:
    """One model of each kind."""
    small = {"minutes": 0.02, "batch": 4, "width": 8}
    return Plan(
        suite="toy", resolution=SIDE, z_dim=8, bank=48, held=16, teacher_minutes=0.02, teacher_width=8,
        picture_height={"landscape": 48, "emoji": 48},
        models={
            "projected_gan": {"kind": "adversarial", "config": ADVERSARIAL, **small},
            "taming": {"kind": "tokens", "config": TOKENS, **small},
            "latent_diffusion": {"kind": "diffusion", "config": DIFFUSION, **small},
        },
    )  # fmt: skip
