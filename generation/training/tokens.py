"""Training of the taming family: a VQGAN first, then the transformer over its codes."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..families.taming import TamingTransformer
from .bank import to_tensor
from .game import Game, Rules
from .loop import BaseRecipe, Training
from .losses import pyramid_loss
from .optimise import adam, average, descend, early_decay, set_rate

REVIVE_EVERY = 100


@dataclass(frozen=True)
class TokenRecipe(BaseRecipe):
    """Hyper-parameters. share: of the time for the VQGAN, the rest is the transformer's; warm_up: of the VQGAN's time
    without a discriminator. token_rate and token_batch are the transformer's."""

    rate: float = 1e-3
    batch: int = 32
    token_rate: float = 1e-3
    token_batch: int = 48
    share: float = 0.55
    warm_up: float = 0.4
    width: int = 24
    augment: bool = False


class TokenTraining(Training):
    """A picture's codes, and then the order they come in."""

    recipe: TokenRecipe
    average: TamingTransformer
    stateful: ClassVar[tuple[str, ...]] = (
        "model", "average", "discriminator", "g_optimiser", "d_optimiser", "t_optimiser",
    )  # fmt: skip

    def _build(self) -> None:
        recipe, hardware = self.recipe, self.hardware
        self.model = hardware.place(TamingTransformer(**recipe.config))
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.game = Game(Rules(width=recipe.width, rate=1e-3, augment=recipe.augment), self.bank.size, hardware)
        self.discriminator, self.d_optimiser = self.game.discriminator, self.game.optimiser
        self.g_optimiser = adam(self.model.vqgan.parameters(), recipe.rate, (0.5, 0.9), hardware)
        self.t_optimiser = adam(self.model.transformer.parameters(), recipe.token_rate, (0.9, 0.95), hardware, 0.01)
        self.usage = torch.zeros(recipe.config["vqgan"]["n_embed"], device=hardware.device)
        self.tokens: Tensor | None = None
        self.reconstruct = hardware.compile(self.model.reconstruct)
        self.logits = hardware.compile(self.model.logits)

    def _step(self, elapsed: float) -> dict[str, Tensor]:
        share = self.recipe.share
        if elapsed < share:
            return self._vqgan_step(elapsed / share)
        return self._transformer_step((elapsed - share) / (1 - share))

    def _vqgan_step(self, elapsed: float) -> dict[str, Tensor]:
        self.tokens = None
        set_rate(self.g_optimiser, self.recipe.rate * min(1.0, 5 * (1 - elapsed) + 0.05))
        real = self.bank.images(self.rng.integers(0, len(self.bank), self.recipe.batch))
        self.model.train()
        with self.hardware.autocast():
            fake, codebook = self.reconstruct(real)
        fake = fake.float()
        reconstruction = pyramid_loss(fake, real)
        loss = 10 * reconstruction + codebook
        losses = {"reconstruction": reconstruction.detach(), "codebook": codebook.detach()}
        game = elapsed > self.recipe.warm_up
        if game:
            loss = loss + 0.5 * self.game.generator_loss(fake)
        descend(self.g_optimiser, loss, self.model.vqgan)
        if game:
            losses["discriminator"] = self.game.learn(real, fake, self.progress.step)
        self._revive_codes(real)
        average(self.average.vqgan, self.model.vqgan, early_decay(0.998, self.progress.step))
        self.progress.images += len(real)
        return losses

    @torch.no_grad()
    def _revive_codes(self, real: Tensor) -> None:
        """Move codes that nothing has used for a while onto encoder outputs, so that the codebook does not collapse."""
        self.usage *= 0.98
        self.usage += torch.bincount(self.model.encode(real[:8]).flatten(), minlength=len(self.usage))
        if self.progress.step % REVIVE_EVERY or self.progress.step == 0:
            return
        dead = (self.usage < 0.05).nonzero().squeeze(1)
        vectors = self.model.vqgan.quant_conv(self.model.vqgan.encoder(real)).permute(0, 2, 3, 1).flatten(0, 2)
        chosen = vectors[torch.randint(len(vectors), (len(dead),), device=vectors.device)]
        for model in (self.model, self.average):
            cast(nn.Embedding, model.vqgan.quantize.embedding).weight[dead] = chosen
        self.usage[dead] = 1.0

    @torch.no_grad()
    def _encode_bank(self) -> Tensor:
        """Codes of the whole bank under the averaged VQGAN, which the model takes over."""
        self.model.vqgan.load_state_dict(self.average.vqgan.state_dict())
        return torch.cat([self.average.encode(self.bank.images(rows)) for rows in self.bank.batches()])

    def _transformer_step(self, elapsed: float) -> dict[str, Tensor]:
        if self.tokens is None:
            self.tokens = self._encode_bank()
        set_rate(self.t_optimiser, self.recipe.token_rate * min(1.0, 2 * (1 - elapsed) + 0.02))
        rows = torch.from_numpy(self.rng.integers(0, len(self.tokens), self.recipe.token_batch))
        batch = self.tokens[rows.to(self.tokens.device)]
        self.model.train()
        with self.hardware.autocast():
            logits = self.logits(batch)
        loss = F.cross_entropy(logits.float().flatten(0, 1), batch.flatten())
        descend(self.t_optimiser, loss, self.model.transformer)
        average(self.average.transformer, self.model.transformer, 0.995)
        self.progress.images += len(batch)
        return {"nats_per_token": loss.detach()}

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged model."""
        seeds = [seed * 100_000 + i for i in range(count)]
        return np.concatenate([self.average.sample(seeds[i : i + 64]) for i in range(0, count, 64)])

    def _reconstructions(self, elapsed: float) -> np.ndarray | None:
        if elapsed >= self.recipe.share:
            return None
        real = to_tensor(self.held_out).to(self.hardware.device)
        fake = torch.cat([self.average.reconstruct(real[i : i + 64])[0] for i in range(0, len(real), 64)])
        return self.average.to_uint8(fake.cpu().numpy())

    def _figures(self) -> dict[str, float]:
        return {"codes_in_use": int((self.usage > 0.05).sum())}

    def _extra_state(self) -> dict[str, Any]:
        return {"usage": self.usage}

    def _restore_extra(self, state: dict[str, Any]) -> None:
        self.usage = state["usage"]
