"""Training of the text-conditioned GAN: a variational autoencoder told the caption first, then the game as well.

The generator is the decoder: its latent holds what the caption does not say (pose, ground), so that a fresh latent with
a caption is a picture of that character from the beginning, and the discriminator has sharpness left to teach.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ..families.text_gan import TextGAN
from .captioned import WARM_UP, PromptedTraining
from .game import Game, Rules
from .loop import BaseRecipe
from .losses import edge_loss, pyramid_loss
from .muon import Muon
from .optimise import adam, average, descend, early_decay, set_rate

CLIP = 10.0


@dataclass(frozen=True)
class CaptionedGameRecipe(BaseRecipe):
    """Hyper-parameters of one model.

    rate: of Adam; synthesis_rate, encoder_rate: of Muon, which trains the convolutions of the generator (of unit
    deviation, hence large steps) and the matrices of the encoder. game_rate: share of all three during the game.
    warm_up: share of the time without the game. reconstruction: weight of the autoencoder beside the game. divergence:
    weight of its Kullback-Leibler term in nats. width, r1, augment: see :class:`.game.Rules`.
    """

    rate: float = 3e-3
    synthesis_rate: float = 0.02
    encoder_rate: float = 5e-3
    game_rate: float = 0.5
    discriminator_rate: float = 2e-3
    batch: int = 16
    warm_up: float = 0.35
    reconstruction: float = 10.0
    divergence: float = 1e-3
    r1: float = 1.0
    ema: float = 0.998
    width: int = 24
    encoder_width: int = 24
    augment: bool = False


class Encoder(nn.Module):
    """Pictures (N, 3, S, S) and their captions' vectors to the latents' means and log-variances (N, z_dim)."""

    def __init__(self, size: int, z_dim: int, caption_dim: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, width, 3, padding=1), nn.SiLU()]
        side = size // 2
        while side > 4:
            out = min(2 * width, 128)
            layers += [nn.Conv2d(width, out, 4, 2, 1), nn.GroupNorm(8, out), nn.SiLU()]
            side, width = side // 2, out
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.told = nn.Linear(caption_dim, width * side * side)
        self.last = nn.Sequential(nn.Linear(width * side * side, 128), nn.SiLU(), nn.Linear(128, 2 * z_dim))

    def forward(self, images: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.last(self.features(images) + self.told(captions)).float().chunk(2, 1)
        return mean, log_variance.clamp(-10, 4)


class CaptionedGame(PromptedTraining):
    """A generator that learns from its own codes of pictures, from captions, and from a discriminator."""

    recipe: CaptionedGameRecipe
    model: TextGAN
    average: TextGAN
    stateful: ClassVar[tuple[str, ...]] = (
        "model", "average", "encoder", "discriminator", "g_optimiser", "s_muon", "e_muon", "d_optimiser",
    )  # fmt: skip

    def _build(self) -> None:
        recipe, hardware, size = self.recipe, self.hardware, self.bank.size
        self.model = cast(TextGAN, self._new_model())
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        caption_dim = self.model.captions.table.shape[1]
        self.encoder = hardware.place(Encoder(size, self.model.z_dim, caption_dim, recipe.encoder_width))
        rules = Rules("plain", recipe.width, recipe.discriminator_rate, recipe.r1, recipe.augment, CLIP)
        self.game = Game(rules, size, hardware)
        self.discriminator, self.d_optimiser = self.game.discriminator, self.game.optimiser
        self.trained = nn.ModuleList([self.model, self.encoder])
        synthesis = [p for name, p in self.model.synthesis.named_parameters() if p.ndim == 4 and "conv" in name]
        encoder = [p for p in self.encoder.parameters() if p.ndim > 1]
        taken = {id(p) for p in (*synthesis, *encoder)}
        others = [p for p in self.trained.parameters() if id(p) not in taken]
        self.g_optimiser = adam(others, recipe.rate, (0.0, 0.99), hardware)
        self.s_muon, self.e_muon = Muon(synthesis, recipe.synthesis_rate), Muon(encoder, recipe.encoder_rate)

    def _step(self, elapsed: float) -> dict[str, Tensor]:
        recipe, game = self.recipe, elapsed >= self.recipe.warm_up
        decay = min(1.0, 3 * (1 - elapsed) + 0.05)
        share = decay * (recipe.game_rate if game else min(1.0, (1 + self.progress.step) / WARM_UP))
        set_rate(self.g_optimiser, recipe.rate * share)
        set_rate(self.s_muon, recipe.synthesis_rate * share)
        set_rate(self.e_muon, recipe.encoder_rate * share)
        set_rate(self.d_optimiser, recipe.discriminator_rate * decay)
        rows = self.rng.integers(0, len(self.bank), recipe.batch)
        real, bags = self.bank.images(rows), self._bags(rows)
        half = recipe.batch // 2 if game else recipe.batch
        self.model.train()
        with self.hardware.autocast():
            mean, log_variance = self.encoder(real[:half], self.model.captions(bags[:half]))
            coded = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            fresh = torch.randn(recipe.batch - half, mean.shape[1], device=mean.device)
            fake = self.model.draw(torch.cat([coded, fresh]), bags, "random")
        fake = fake.float()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        reconstruction = pyramid_loss(fake[:half], real[:half]) + edge_loss(fake[:half], real[:half])
        loss = recipe.reconstruction * (reconstruction + recipe.divergence * divergence)
        losses = {"reconstruction": reconstruction.detach(), "divergence": divergence.detach()}
        if game:
            adversarial = self.game.generator_loss(fake)
            loss, losses["generator"] = loss + adversarial, adversarial.detach()
        for muon in (self.s_muon, self.e_muon):
            muon.zero_grad(set_to_none=True)
        descend(self.g_optimiser, loss, self.trained, CLIP)
        for muon in (self.s_muon, self.e_muon):
            muon.step()
        if game:
            losses["discriminator"] = self.game.learn(real, fake, self.progress.step)
        average(self.average, self.model, early_decay(recipe.ema, self.progress.step))
        self.progress.images += recipe.batch
        return losses
