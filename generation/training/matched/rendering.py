"""Training of one renderer: as near to the pictures as all the others, as sharp and as colourful, and no nearer."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...families import family_class, save_generator
from ...families.rendering import Renderer
from ..bank import Bank
from ..loop import BaseRecipe, Training
from ..losses import pyramid_loss
from ..optimise import adam, average, descend, early_decay, set_rate
from .figures import figures

_LEAST_RATE = 0.1
_DECAY_FROM = 0.6
_RED, _BLUE = 1.402, 1.772
_STEERED = ("chroma_weight", "energy_weight", "asked_sharpness")


@dataclass(frozen=True)
class RenderRecipe(BaseRecipe):
    """How a renderer is trained.

    Attributes
    ----------
    luma, chroma, sharpness : float
        What it is trained to, see :class:`.figures.Figures`: training ends as soon as luma is reached. The weights of
        the other losses and the asked-for energy are moved at every report so that the others arrive at that time.
    batch : int
        Pictures a step.
    learning_rate : float
        Of Adam, after a short warm-up and until it falls at the end.
    energy_weight : float
        Of the energy loss beside the luma loss, at the start.
    decay : float
        Of the moving average of the weights.
    channels_last : bool
        Memory layout that is faster for this family on a CPU.
    report_seconds : float
        From one report to the next; a family that learns fast would miss the aim between two that are far apart.
    """

    luma: float = 23.2
    chroma: float = 28.9
    sharpness: float = 0.7
    batch: int = 8
    learning_rate: float = 1e-2
    energy_weight: float = 1.0
    decay: float = 0.98
    channels_last: bool = True
    report_seconds: float = 6.0


class RenderTraining(Training):
    """A renderer learns the pictures of a bank from their codes.

    Parameters
    ----------
    recipe : RenderRecipe
        How.
    codes, held_codes : np.ndarray
        float32 (N, 16, S / 8, S / 8) of the bank and of the held-out pictures.
    *args, **more : object
        As for any training.
    """

    stateful: ClassVar[tuple[str, ...]] = ("model", "average", "optimiser")
    report_images: ClassVar[int] = 96
    checkpoint_seconds: ClassVar[float] = 20.0
    recipe: RenderRecipe
    average: Renderer

    def __init__(
        self, recipe: RenderRecipe, codes: np.ndarray, held_codes: np.ndarray, *args: Any, **more: Any
    ) -> None:
        self.codes = torch.from_numpy(codes).flatten(1)
        self.held_codes = held_codes[: self.report_images]
        self.chroma_weight = 2.0
        self.energy_weight = recipe.energy_weight
        self.asked_sharpness = 1.2 * recipe.sharpness
        super().__init__(recipe, *args, **more)

    def _build(self) -> None:
        recipe = self.recipe
        self.hardware = replace(self.hardware, channels_last=recipe.channels_last)
        self.bank = Bank(self.bank.pixels.numpy(), self.hardware)
        model = family_class(recipe.family)(**recipe.config)
        assert isinstance(model, Renderer)
        self.model = self.hardware.place(model)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimiser = adam(self.model.parameters(), recipe.learning_rate, (0.9, 0.99), self.hardware)

    def _report_interval(self, budget: float) -> float:
        return self.recipe.report_seconds

    def _step(self, elapsed: float) -> dict[str, Tensor]:
        recipe = self.recipe
        left = min(1.0, (1 - elapsed) / (1 - _DECAY_FROM))
        warm = min(1.0, (self.progress.step + 1) / 20)
        set_rate(self.optimiser, recipe.learning_rate * warm * max(_LEAST_RATE, left))
        rows = self.rng.integers(len(self.bank), size=recipe.batch)
        real = self.bank.images(rows)
        self.model.train()
        with self.hardware.autocast():
            fake = self.model(self.codes[torch.from_numpy(rows)])
        luma, chroma = _luma_chroma(fake.float())
        true_luma, true_chroma = _luma_chroma(real)
        losses = {
            "luma_loss": pyramid_loss(luma, true_luma),
            "chroma_loss": pyramid_loss(chroma, true_chroma),
            "energy_loss": energy_loss(luma, true_luma, self.asked_sharpness),
        }
        total = losses["luma_loss"] + self.chroma_weight * losses["chroma_loss"]
        descend(self.optimiser, total + self.energy_weight * losses["energy_loss"], self.model)
        average(self.average, self.model, early_decay(recipe.decay, self.progress.step))
        self.progress.images += recipe.batch
        return {name: loss.detach() for name, loss in losses.items()}

    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3): the first held-out pictures, rendered as ``osbench generate`` would."""
        parts = [range(i, min(i + 32, count)) for i in range(0, count, 32)]
        codes = [self.held_codes[part.start : part.stop] for part in parts]
        seeds = [[seed + i for i in part] for part in parts]
        return np.concatenate([self.average.sample(s, codes=c) for s, c in zip(seeds, codes, strict=True)])

    def _look(self, elapsed: float) -> tuple[np.ndarray, dict[str, float]]:
        """Render the held-out pictures; steer colour and sharpness; keep the averaged weights of this moment."""
        rendered = self.samples(len(self.held_out))
        found = figures(rendered, self.held_out)
        recipe = self.recipe
        if self.progress.curve:
            ahead = (found.chroma - recipe.chroma) - (found.luma - recipe.luma)
            self.chroma_weight = float(np.clip(self.chroma_weight * math.exp(-0.3 * ahead), 0.1, 10))
            lacking = recipe.sharpness - found.sharpness
            self.energy_weight = float(np.clip(self.energy_weight * math.exp(4 * lacking), 0.05, 10))
            self.asked_sharpness = float(np.clip(self.asked_sharpness + 0.5 * lacking, 0.3, 2.0))
        moments = self.folder / "moments"
        moments.mkdir(exist_ok=True)
        save_generator(self.average, moments / f"{self.progress.step:06d}.safetensors")
        point = {name: round(value, 4) for name, value in asdict(found).items()}
        return rendered, {**point, "step": self.progress.step, **{n: round(getattr(self, n), 3) for n in _STEERED}}

    @property
    def finished(self) -> bool:
        """Whether luma is as near as asked for, and chroma and sharpness are; or luma is nearer by far."""
        if not self.progress.curve:
            return False
        point, aim = self.progress.curve[-1], self.recipe
        equal = abs(point["chroma"] - aim.chroma) <= 0.4 and abs(point["sharpness"] - aim.sharpness) <= 0.02
        return point["luma"] >= aim.luma + (0 if equal else 0.5)

    def _check_recipe(self, stored: dict[str, Any] | None) -> None:
        """As for any training, but the aim and how hard it is steered to may have moved."""
        moved = ("luma", "chroma", "sharpness", "energy_weight")
        super()._check_recipe(stored and {**stored, **{name: getattr(self.recipe, name) for name in moved}})

    def _extra_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _STEERED}

    def _restore_extra(self, state: dict[str, Any]) -> None:
        for name in _STEERED:
            setattr(self, name, state[name])


def energy_loss(luma: Tensor, target: Tensor, share: float) -> Tensor:
    """Mean absolute difference of the local energy of luma (N, 1, S, S) from ``share`` times the target's.

    Local energy is the mean absolute gradient over 8x8 pixels. It asks for texture where there is some, not for the
    texture itself, which no code of 16 numbers could tell.
    """
    return (_energy(luma) - share * _energy(target)).abs().mean()


def _energy(luma: Tensor) -> Tensor:
    down = (luma[:, :, 1:, :-1] - luma[:, :, :-1, :-1]).abs()
    right = (luma[:, :, :-1, 1:] - luma[:, :, :-1, :-1]).abs()
    return F.avg_pool2d(down + right, 8, 4, ceil_mode=True)


def _luma_chroma(images: Tensor) -> tuple[Tensor, Tensor]:
    red, green, blue = images.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma[:, None], torch.stack([(blue - luma) / _BLUE, (red - luma) / _RED], 1)
