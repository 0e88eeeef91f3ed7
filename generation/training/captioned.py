"""Training of the text-to-image families: the autoencoder first where there is one, then what draws its codes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..families import family_class
from ..families.captions import TextGenerator, vocabulary_of
from ..families.denoising import DenoisingGenerator
from ..families.latents import LatentGenerator
from ..families.token_transformer import TokenTransformer
from .bank import to_tensor
from .loop import BaseRecipe, Training
from .losses import edge_loss, pyramid_loss
from .muon import Muon
from .optimise import adam, average, descend, early_decay, set_rate

HIDDEN = ("blocks.", "down.", "up.", "halve.", "widen.", "middle1.", "attention.")
"""Beginnings of the names, in a network that draws codes, of the matrices that Muon trains; Adam trains the rest."""

DROPOUT = 0.1  # pictures shown without their caption, for classifier-free guidance
WARM_UP = 100  # steps


@dataclass(frozen=True)
class CaptionedRecipe(BaseRecipe):
    """Hyper-parameters. share: of the time for the autoencoder, if the family has one; the rest learns codes.

    code_rate and code_batch are those of the rest; ema: decay of its moving average.
    """

    rate: float = 2e-3
    batch: int = 32
    code_rate: float = 1.5e-3
    code_batch: int = 16
    share: float = 0.35
    ema: float = 0.998


class PromptedTraining(Training):
    """A training on captioned pictures: ``labels`` (N,) say which of the ``captions`` belongs to each of the bank."""

    average: TextGenerator
    report_images: ClassVar[int] = 100  # one of each caption
    reports: ClassVar[int] = 8  # its samples are slow
    columns: ClassVar[int] = 10

    def __init__(
        self,
        recipe: BaseRecipe,
        pixels: np.ndarray,
        labels: np.ndarray,
        captions: Sequence[str],
        *rest: Any,
        **options: Any,
    ) -> None:
        self.labels, self.names = torch.from_numpy(labels), tuple(captions)
        super().__init__(recipe, pixels, *rest, **options)

    def _new_model(self) -> TextGenerator:
        """The recipe's network, of the words of the captions, and with it the bags of all captions."""
        config = {**self.recipe.config, "vocabulary": vocabulary_of(self.names)}
        model = cast(TextGenerator, self.hardware.place(family_class(self.recipe.family)(**config)))
        self.bags = model.captions.bags(self.names).to(self.hardware.device)
        return model

    def _bags(self, rows: np.ndarray, dropout: float = 0.0) -> Tensor:
        """Bags of the pictures ``rows``, some of them emptied."""
        bags = self.bags[self.labels[torch.from_numpy(rows)].to(self.bags.device)]
        empty = torch.rand(len(bags), 1, device=bags.device) < dropout
        return torch.where(empty, self.model.captions.without(bags), bags)

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged model: the captions in turn."""
        seeds = [seed * 100_000 + i for i in range(count)]
        prompts = [self.names[i % len(self.names)] for i in range(count)]
        batches = [self.average.sample(seeds[i : i + 64], prompts=prompts[i : i + 64]) for i in range(0, count, 64)]
        return np.concatenate(batches)


class CaptionedTraining(PromptedTraining):
    """Codes of pictures, and then how to draw them for a caption."""

    recipe: CaptionedRecipe
    stateful: ClassVar[tuple[str, ...]] = ("model", "average", "a_optimiser", "c_optimiser", "m_optimiser")

    def _build(self) -> None:
        recipe, hardware = self.recipe, self.hardware
        self.model = cast(DenoisingGenerator | TokenTransformer, self._new_model())
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.learned = self.model.learned()
        self.autoencoder = self.model if isinstance(self.model, LatentGenerator | TokenTransformer) else None
        self.share = recipe.share if self.autoencoder else 0.0
        trained = self.autoencoder.autoencoder.parameters() if self.autoencoder else [torch.zeros(1)]
        self.a_optimiser = adam(trained, recipe.rate, (0.9, 0.99), hardware)
        network = self.model.network
        hidden = [p for name, p in network.named_parameters() if p.ndim > 1 and name.startswith(HIDDEN)]
        inner = {id(p) for p in hidden}
        outer = [p for p in self.learned.parameters() if id(p) not in inner]
        self.c_optimiser = adam(outer, recipe.code_rate, (0.9, 0.99), hardware, 0.01)
        self.m_optimiser = Muon(hidden, recipe.code_rate)
        self.codes: Tensor | None = None
        self.code_steps = 0
        self.loss = hardware.compile(self.model.loss)

    def _step(self, elapsed: float) -> dict[str, Tensor]:
        share = self.share
        if elapsed < share:
            return self._autoencoder_step(elapsed / share)
        return self._code_step((elapsed - share) / (1 - share))

    def _autoencoder_step(self, elapsed: float) -> dict[str, Tensor]:
        assert self.autoencoder is not None
        warm = min(1.0, (1 + self.progress.step) / WARM_UP)
        set_rate(self.a_optimiser, self.recipe.rate * warm * min(1.0, 2 * (1 - elapsed) + 0.02))
        real = self.bank.images(self.rng.integers(0, len(self.bank), self.recipe.batch))
        self.model.train()
        with self.hardware.autocast():
            fake = self.autoencoder.reconstruct(real)
        fake = fake.float()
        loss = pyramid_loss(fake, real) + F.mse_loss(fake, real) + edge_loss(fake, real)
        descend(self.a_optimiser, loss, self.autoencoder.autoencoder, clip=1.0)
        of_average = cast(LatentGenerator, self.average).autoencoder
        average(of_average, self.autoencoder.autoencoder, early_decay(0.995, self.progress.step))
        self.progress.images += len(real)
        return {"reconstruction": loss.detach()}

    @torch.no_grad()
    def _encode_bank(self) -> Tensor:
        """Codes of the whole bank under the averaged autoencoder, which the model takes over."""
        batches = self.bank.batches()
        if self.autoencoder is None:
            return torch.cat([self.model.encode(self.bank.images(rows)) for rows in batches])
        of_average = cast(LatentGenerator, self.average)
        self.autoencoder.autoencoder.load_state_dict(of_average.autoencoder.state_dict())
        codes = torch.cat([of_average.encode(self.bank.images(rows)) for rows in batches])
        if self.code_steps:  # resumed: measured already
            return codes
        self.autoencoder.standardise(codes)
        return of_average.standardise(codes)

    def _code_step(self, elapsed: float) -> dict[str, Tensor]:
        recipe = self.recipe
        if self.codes is None and self.autoencoder is not None:
            self.codes = self._encode_bank()
        warm = min(1.0, (1 + self.code_steps) / WARM_UP)
        for optimiser in (self.c_optimiser, self.m_optimiser):
            set_rate(optimiser, recipe.code_rate * warm * min(1.0, 2 * (1 - elapsed) + 0.02))
        rows = self.rng.integers(0, len(self.bank), recipe.code_batch)
        chosen = torch.from_numpy(rows)
        codes = self.bank.images(rows) if self.codes is None else self.codes[chosen.to(self.codes.device)]
        self.model.train()
        with self.hardware.autocast():
            loss = self.loss(codes, self._bags(rows, DROPOUT))
        self.m_optimiser.zero_grad(set_to_none=True)
        descend(self.c_optimiser, loss, self.learned, clip=1.0)
        self.m_optimiser.step()
        average(self.average.learned(), self.learned, early_decay(recipe.ema, self.code_steps))
        self.code_steps += 1
        self.progress.images += len(rows)
        return {"code_loss": loss.detach()}

    def _reconstructions(self, elapsed: float) -> np.ndarray | None:
        if elapsed >= self.share:
            return None
        real = to_tensor(self.held_out).to(self.hardware.device)
        return self.average.to_uint8(cast(LatentGenerator, self.average).reconstruct(real).cpu().numpy())

    def _extra_state(self) -> dict[str, Any]:
        return {"code_steps": self.code_steps}

    def _restore_extra(self, state: dict[str, Any]) -> None:
        self.code_steps = state["code_steps"]
