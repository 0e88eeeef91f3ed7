"""Training of the five adversarial families: reconstruction from the teacher's codes first, then the game as well."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..families import family_class
from .game import Game, Rules
from .loop import BaseRecipe, Training
from .losses import pyramid_loss
from .optimise import adam, average, descend, early_decay, set_rate
from .teacher import Codes

CLIP = 10.0


@dataclass(frozen=True)
class AdversarialRecipe(BaseRecipe):
    """Hyper-parameters of one model.

    warm_up: share of the time spent on reconstruction alone. reconstruction: its weight beside the game. width, r1,
    discriminator, augment: see :class:`.game.Rules`.
    """

    learning_rate: float = 2e-3
    discriminator_rate: float = 2e-3
    batch: int = 32
    warm_up: float = 0.35
    reconstruction: float = 10.0
    r1: float = 1.0
    ema: float = 0.998
    width: int = 24
    discriminator: str = "plain"
    augment: bool = False

    def rules(self) -> Rules:
        """Those of the discriminator."""
        return Rules(
            self.discriminator, self.width, self.discriminator_rate, r1=self.r1, augment=self.augment, clip=CLIP
        )


class AdversarialTraining(Training):
    """A generator that learns from codes of pictures, and from a discriminator.

    features: weights of EfficientNet-Lite0, for recipes with a projected discriminator.
    """

    recipe: AdversarialRecipe
    stateful: ClassVar[tuple[str, ...]] = ("generator", "average", "discriminator", "g_optimiser", "d_optimiser")

    def __init__(
        self,
        recipe: AdversarialRecipe,
        pixels: np.ndarray,
        codes: Codes,
        *rest: Any,
        features: Path | None = None,
        **options: Any,
    ) -> None:
        self.codes, self.features = codes, features
        super().__init__(recipe, pixels, *rest, **options)

    def _build(self) -> None:
        recipe, hardware = self.recipe, self.hardware
        self.generator = hardware.place(family_class(recipe.family)(**recipe.config))
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.game = Game(recipe.rules(), self.bank.size, hardware, self.features)
        self.discriminator, self.d_optimiser = self.game.discriminator, self.game.optimiser
        self.g_optimiser = adam(self.generator.parameters(), recipe.learning_rate, (0.0, 0.99), hardware)
        self.generate = hardware.compile(self.generator)

    def _step(self, elapsed: float) -> dict[str, Tensor]:
        recipe, game = self.recipe, elapsed >= self.recipe.warm_up
        decay = min(1.0, 5 * (1 - elapsed) + 0.05)
        set_rate(self.g_optimiser, recipe.learning_rate * decay)
        set_rate(self.d_optimiser, recipe.discriminator_rate * decay)
        rows = self.rng.integers(0, len(self.bank), recipe.batch)
        real = self.bank.images(rows)
        half = recipe.batch // 2 if game else recipe.batch
        coded = self.codes.draw(rows[:half], self.rng).to(real.device)
        fresh = torch.randn(recipe.batch - half, coded.shape[1], device=real.device)
        fake = self._generate(torch.cat([coded, fresh]))
        reconstruction = pyramid_loss(fake[:half], real[:half])
        loss, losses = recipe.reconstruction * reconstruction, {"reconstruction": reconstruction.detach()}
        if game:
            adversarial = self.game.generator_loss(fake)
            loss, losses["generator"] = loss + adversarial, adversarial.detach()
        descend(self.g_optimiser, loss, self.generator, CLIP)
        if game:
            losses["discriminator"] = self.game.learn(real, fake, self.progress.step)
        average(self.average, self.generator, early_decay(recipe.ema, self.progress.step))
        self.progress.images += recipe.batch
        return losses

    def _generate(self, z: Tensor) -> Tensor:
        self.generator.train()
        with self.hardware.autocast():
            return self.generate(z, noise_mode="random").float()

    @torch.no_grad()
    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged generator, as ``osbench generate`` would draw them."""
        seeds = [seed * 100_000 + i for i in range(count)]
        return np.concatenate(
            [self.average.sample(seeds[i : i + 64], noise_mode="random") for i in range(0, count, 64)]
        )
