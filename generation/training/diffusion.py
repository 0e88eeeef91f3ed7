"""Training of the latent-diffusion family: the autoencoder first, then the class-conditioned U-Net on its latents."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..families.latent_diffusion import LatentDiffusion
from .bank import to_tensor
from .game import Game, Rules
from .loop import BaseRecipe, Training
from .losses import pyramid_loss
from .optimise import adam, average, descend, early_decay, set_rate

KL_WEIGHT = 1e-4
CLASS_DROPOUT = 0.15  # images shown without their class, for classifier-free guidance


@dataclass(frozen=True)
class DiffusionRecipe(BaseRecipe):
    """Hyper-parameters. share: of the time for the autoencoder, the rest is the U-Net's; warm_up: of the autoencoder's
    time without a discriminator. noise_rate and noise_batch are the U-Net's."""

    rate: float = 1e-3
    batch: int = 32
    noise_rate: float = 1e-3
    noise_batch: int = 48
    share: float = 0.35
    warm_up: float = 0.5
    width: int = 24
    augment: bool = False


class DiffusionTraining(Training):
    """A picture's latents, and then how to find them in noise. ``labels`` (N,) are the classes of the bank's crops."""

    recipe: DiffusionRecipe
    average: LatentDiffusion
    stateful: ClassVar[tuple[str, ...]] = (
        "model", "average", "discriminator", "a_optimiser", "d_optimiser", "u_optimiser",
    )  # fmt: skip
    report_images: ClassVar[int] = 128  # its samples are slow

    def __init__(
        self, recipe: DiffusionRecipe, pixels: np.ndarray, labels: np.ndarray, *rest: Any, **options: Any
    ) -> None:
        self.labels = labels
        super().__init__(recipe, pixels, *rest, **options)

    def _build(self) -> None:
        recipe, hardware = self.recipe, self.hardware
        self.model = hardware.place(LatentDiffusion(**recipe.config, classes=int(self.labels.max()) + 1))
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.game = Game(Rules(width=recipe.width, rate=1e-3, augment=recipe.augment), self.bank.size, hardware)
        self.discriminator, self.d_optimiser = self.game.discriminator, self.game.optimiser
        self.a_optimiser = adam(self.model.autoencoder.parameters(), recipe.rate, (0.5, 0.9), hardware)
        unet = [*self.model.unet.parameters(), *self.model.class_embedding.parameters()]
        self.u_optimiser = adam(unet, recipe.noise_rate, (0.9, 0.99), hardware, 0.0)
        self.latents: Tensor | None = None
        self.diffusion_loss = hardware.compile(self.model.diffusion_loss)

    def _step(self, elapsed: float) -> dict[str, Tensor]:
        share = self.recipe.share
        if elapsed < share:
            return self._autoencoder_step(elapsed / share)
        return self._unet_step((elapsed - share) / (1 - share))

    def _autoencoder_step(self, elapsed: float) -> dict[str, Tensor]:
        self.latents = None
        set_rate(self.a_optimiser, self.recipe.rate * min(1.0, 5 * (1 - elapsed) + 0.05))
        real = self.bank.images(self.rng.integers(0, len(self.bank), self.recipe.batch))
        self.model.train()
        with self.hardware.autocast():
            (posterior,) = self.model.autoencoder.encode(real, return_dict=False)
            latent: Any = posterior.sample()
            (fake,) = self.model.autoencoder.decode(latent, return_dict=False)
        fake = fake.float()
        reconstruction, kl = pyramid_loss(fake, real), _kl(posterior)
        loss = 10 * reconstruction + KL_WEIGHT * kl
        losses = {"reconstruction": reconstruction.detach(), "kl": kl.detach()}
        game = elapsed > self.recipe.warm_up
        if game:
            loss = loss + 0.5 * self.game.generator_loss(fake)
        descend(self.a_optimiser, loss, self.model.autoencoder)
        if game:
            losses["discriminator"] = self.game.learn(real, fake, self.progress.step)
        average(self.average.autoencoder, self.model.autoencoder, early_decay(0.998, self.progress.step))
        self.progress.images += len(real)
        return losses

    @torch.no_grad()
    def _encode_bank(self) -> Tensor:
        """Latents of the whole bank under the averaged autoencoder, which the model takes over, at unit deviation."""
        self.model.autoencoder.load_state_dict(self.average.autoencoder.state_dict())
        self._scale_latents(1.0)
        latents = torch.cat([self.average.encode(self.bank.images(rows)) for rows in self.bank.batches()])
        scale = round(1 / latents.std().item(), 5)
        self._scale_latents(scale)
        return latents * scale

    def _scale_latents(self, factor: float) -> None:
        for model in (self.model, self.average):
            model.config["scaling_factor"] = factor

    def _unet_step(self, elapsed: float) -> dict[str, Tensor]:
        if self.latents is None:
            self.latents = self._encode_bank()
        set_rate(self.u_optimiser, self.recipe.noise_rate * min(1.0, 2 * (1 - elapsed) + 0.02))
        rows = self.rng.integers(0, len(self.latents), self.recipe.noise_batch)
        latents = self.latents[torch.from_numpy(rows).to(self.latents.device)]
        labels = torch.from_numpy(self.labels[rows])
        labels[torch.rand(len(rows)) < CLASS_DROPOUT] = self.model.c_dim
        self.model.train()
        with self.hardware.autocast():
            loss = self.diffusion_loss(latents, labels.to(latents.device))
        descend(self.u_optimiser, loss, self.model.unet, clip=1.0)
        average(self.average.unet, self.model.unet, 0.998)
        average(self.average.class_embedding, self.model.class_embedding, 0.998)
        self.progress.images += len(rows)
        return {"noise_mse": loss.detach()}

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged model, classes as frequent as in the training set."""
        labels = np.random.default_rng(seed).choice(self.labels, count)
        seeds = [seed * 100_000 + i for i in range(count)]
        batches = [self.average.sample(seeds[i : i + 64], labels[i : i + 64].tolist()) for i in range(0, count, 64)]
        return np.concatenate(batches)

    def _reconstructions(self, elapsed: float) -> np.ndarray | None:
        if elapsed >= self.recipe.share:
            return None
        real = to_tensor(self.held_out).to(self.hardware.device)
        fake = torch.cat([self.average.autoencoder(real[i : i + 64]).sample for i in range(0, len(real), 64)])
        return self.average.to_uint8(fake.cpu().numpy())

    def _extra_state(self) -> dict[str, Any]:
        return {"scaling_factor": self.average.config["scaling_factor"]}

    def _restore_extra(self, state: dict[str, Any]) -> None:
        self._scale_latents(state["scaling_factor"])


def _kl(posterior: Any) -> Tensor:
    """Mean divergence from the unit Gaussian in nats, summed in float32 whatever the encoder computed in."""
    return type(posterior)(posterior.parameters.float()).kl().mean()
