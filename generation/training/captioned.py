"""Training of the text-to-image families: the autoencoder first where there is one, then what draws its codes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from ..families import family_class
from ..families.autoencoder import Autoencoder
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

ADAMS_SHARE = 0.6  # of Muon's learning rate

DROPOUT = 0.1  # pictures shown without their caption, for classifier-free guidance
WARM_UP = 100  # steps


@dataclass(frozen=True)
class CaptionedRecipe(BaseRecipe):
    """Hyper-parameters. share: of the time for the autoencoder, if the family has one; the rest learns codes.

    code_rate and code_batch are those of the rest; ema: decay of its moving average.
    """

    rate: float = 3e-3
    batch: int = 16
    code_rate: float = 3e-3
    code_batch: int = 16
    share: float = 0.35
    ema: float = 0.998


class PromptedTraining(Training):
    """A training on captioned pictures: ``labels`` (N,) say which of the ``captions`` belongs to each of the bank."""

    model: TextGenerator
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
    model: DenoisingGenerator | TokenTransformer
    average: DenoisingGenerator | TokenTransformer
    stateful: ClassVar[tuple[str, ...]] = ("model", "average", "a_optimiser", "a_muon", "c_optimiser", "c_muon")

    def _build(self) -> None:
        recipe, hardware = self.recipe, self.hardware
        self.model = cast(DenoisingGenerator | TokenTransformer, self._new_model())
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.learned = self.model.learned()
        self.autoencoder = self.model if isinstance(self.model, LatentGenerator | TokenTransformer) else None
        self.share = recipe.share if self.autoencoder else 0.0
        coder = self.autoencoder.autoencoder if self.autoencoder else Autoencoder([8, 8], 1)  # an idle one
        between = [*coder.encoder[2:-1].parameters(), *coder.decoder[1:-1].parameters()]
        self.a_optimiser, self.a_muon = self._optimisers(coder, between, recipe.rate)
        hidden = [p for name, p in self.model.network.named_parameters() if name.startswith(HIDDEN)]
        self.c_optimiser, self.c_muon = self._optimisers(self.learned, hidden, recipe.code_rate)
        self.codes: Tensor | None = None
        self.code_steps = 0
        self.loss = hardware.compile(self.model.loss)

    def _optimisers(self, module: nn.Module, inner: list[nn.Parameter], rate: float) -> tuple[Optimizer, Muon]:
        """Muon for the matrices among the parameters ``inner``, Adam for everything else."""
        matrices = [p for p in inner if p.ndim > 1]
        taken = {id(p) for p in matrices}
        others = [p for p in module.parameters() if id(p) not in taken]
        return adam(others, rate, (0.9, 0.99), self.hardware, 0.01), Muon(matrices, rate)

    def _descend(self, adam: Optimizer, muon: Muon, loss: Tensor, module: nn.Module, rate: float) -> None:
        set_rate(adam, ADAMS_SHARE * rate)
        set_rate(muon, rate)
        muon.zero_grad(set_to_none=True)
        descend(adam, loss, module, clip=1.0)
        muon.step()

    def _step(self, elapsed: float) -> dict[str, Tensor]:
        share = self.share
        if elapsed < share:
            return self._autoencoder_step(elapsed / share)
        return self._code_step((elapsed - share) / (1 - share))

    def _autoencoder_step(self, elapsed: float) -> dict[str, Tensor]:
        assert self.autoencoder is not None
        warm = min(1.0, (1 + self.progress.step) / WARM_UP)
        rate = self.recipe.rate * warm * min(1.0, 2 * (1 - elapsed) + 0.02)
        real = self.bank.images(self.rng.integers(0, len(self.bank), self.recipe.batch))
        self.model.train()
        with self.hardware.autocast():
            fake = self.autoencoder.reconstruct(real)
        fake = fake.float()
        loss = pyramid_loss(fake, real) + F.mse_loss(fake, real) + edge_loss(fake, real)
        self._descend(self.a_optimiser, self.a_muon, loss, self.autoencoder.autoencoder, rate)
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
        rate = recipe.code_rate * warm * min(1.0, 2 * (1 - elapsed) + 0.02)
        rows = self.rng.integers(0, len(self.bank), recipe.code_batch)
        chosen = torch.from_numpy(rows)
        codes = self.bank.images(rows) if self.codes is None else self.codes[chosen.to(self.codes.device)]
        self.model.train()
        with self.hardware.autocast():
            loss = self.loss(codes, self._bags(rows, DROPOUT))
        self._descend(self.c_optimiser, self.c_muon, loss, self.learned, rate)
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
