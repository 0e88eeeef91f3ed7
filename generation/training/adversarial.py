"""Training of the five adversarial families: reconstruction from the teacher's codes first, then the game as well."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from ..families import Generator, family_class
from ..progress import get_logger
from .distance import sliced_wasserstein
from .losses import Discriminator, discriminator_loss, generator_loss, pyramid_loss, r1_penalty
from .teacher import Codes, to_tensor

CHECKPOINT_SECONDS = 180


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of one model; ``warm_up`` is the share of the time spent on reconstruction alone."""

    family: str
    config: dict[str, Any]
    learning_rate: float = 2e-3
    discriminator_rate: float = 2e-3
    batch: int = 32
    warm_up: float = 0.35
    reconstruction: float = 10.0
    r1: float = 1.0
    ema: float = 0.998
    width: int = 24
    seed: int = 0


@dataclass
class Progress:
    """What a training has done so far; written beside the weights."""

    step: int = 0
    images: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)


class AdversarialTraining:
    """One model in training, resumable from ``folder``."""

    def __init__(self, recipe: Recipe, bank: np.ndarray, codes: Codes, held_out: np.ndarray, folder: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.bank, self.codes, self.folder = recipe, bank, codes, folder
        self.generator = family_class(recipe.family)(**recipe.config)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.discriminator = Discriminator(bank.shape[1], recipe.width)
        self.g_optimiser = torch.optim.Adam(self.generator.parameters(), lr=recipe.learning_rate, betas=(0.0, 0.99))
        self.d_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=recipe.discriminator_rate, betas=(0.0, 0.99)
        )
        self.rng = np.random.default_rng(recipe.seed)
        self.real_reference = to_tensor(held_out)
        self.progress = Progress()
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            self._resume()

    def run(self, minutes: float) -> Generator:
        """Train until ``minutes`` in all (earlier sittings included) are spent; return the averaged generator."""
        budget, saved, last = 60 * minutes, time.monotonic(), time.monotonic()
        report_at = self.progress.seconds
        while self.progress.seconds < budget:
            losses = self._step(self.progress.seconds / budget)
            now = time.monotonic()
            self.progress.seconds += now - last
            last = now
            if self.progress.seconds >= report_at:
                report_at += max(60.0, budget / 16)
                self._report(losses)
                last = time.monotonic()
            if now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
        self._report(losses={})
        self._save()
        return self.average

    def _step(self, elapsed: float) -> dict[str, float]:
        recipe = self.recipe
        decay = min(1.0, 5 * (1 - elapsed) + 0.05)
        for optimiser, rate in (
            (self.g_optimiser, recipe.learning_rate),
            (self.d_optimiser, recipe.discriminator_rate),
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate * decay
        game = elapsed >= recipe.warm_up
        rows = self.rng.integers(0, len(self.bank), recipe.batch)
        real = to_tensor(self.bank[rows])
        half = recipe.batch // 2 if game else recipe.batch
        coded = self.codes.draw(rows[:half], self.rng)
        latents = torch.cat([coded, torch.randn(recipe.batch - half, coded.shape[1])])
        fake = self._generate(latents)
        loss = recipe.reconstruction * pyramid_loss(fake[:half], real[:half])
        losses = {"reconstruction": loss.item() / recipe.reconstruction}
        if game:
            self.discriminator.requires_grad_(False)
            adversarial = generator_loss(self.discriminator(fake))
            loss = loss + adversarial
            losses["generator"] = adversarial.item()
        self._descend(self.g_optimiser, loss, self.generator)
        if game:
            losses["discriminator"] = self._discriminate(real, fake.detach())
        self._update_average()
        self.progress.step += 1
        self.progress.images += recipe.batch
        return losses

    def _generate(self, z: Tensor) -> Tensor:
        self.generator.train()
        return self.generator(z, noise_mode="random")

    def _discriminate(self, real: Tensor, fake: Tensor) -> float:
        self.discriminator.requires_grad_(True)
        loss = discriminator_loss(self.discriminator(real), self.discriminator(fake))
        penalty = torch.zeros(())
        if self.progress.step % 8 == 0:  # lazy regularisation (Karras et al. 2020)
            penalty = 8 * 0.5 * self.recipe.r1 * r1_penalty(self.discriminator, real)
        self._descend(self.d_optimiser, loss + penalty, self.discriminator)
        return loss.item()

    @staticmethod
    def _descend(optimiser: torch.optim.Optimizer, loss: Tensor, model: nn.Module) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimiser.step()

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema, (1 + self.progress.step) / (10 + self.progress.step))
        for a, b in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            a.lerp_(b, 1 - decay)
        for a, b in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            a.copy_(b)

    @torch.no_grad()
    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged generator, as ``osbench generate`` would draw them."""
        seeds = [seed * 100_000 + i for i in range(count)]
        return np.concatenate(
            [self.average.sample(seeds[i : i + 64], noise_mode="random") for i in range(0, count, 64)]
        )

    def _report(self, losses: dict[str, float]) -> None:
        fake = to_tensor(self.samples(len(self.real_reference)))
        point = {
            "seconds": round(self.progress.seconds, 1),
            "images": self.progress.images,
            "swd": round(sliced_wasserstein(fake, self.real_reference), 2),
            **{k: round(v, 4) for k, v in losses.items()},
        }
        self.progress.curve.append(point)
        get_logger().info("%s: %s", self.folder.name, json.dumps(point))

    def _save(self) -> None:
        state = {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "g_optimiser": self.g_optimiser.state_dict(),
            "d_optimiser": self.d_optimiser.state_dict(),
            "progress": asdict(self.progress),
            "recipe": asdict(self.recipe),
            "rng": json.dumps(self.rng.bit_generator.state),
        }
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def _resume(self) -> None:
        state = torch.load(self.folder / "state.pt", weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise CheckpointError(f"{self.folder}: was started with another recipe; give another folder or remove it.")
        for name in ("generator", "average", "discriminator", "g_optimiser", "d_optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.progress = Progress(**state["progress"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        get_logger().info("%s: resumed after %.0f s", self.folder.name, self.progress.seconds)
