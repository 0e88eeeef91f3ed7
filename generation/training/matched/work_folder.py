"""The folder in which the zoo of `mini-matched` is made: pictures, block code, and one folder per model in training."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....core.errors import DatasetError, UsageError, unknown_name
from ....core.yaml import read_yaml
from ...block_code import BlockCode, fit_block_code, load_block_code
from ..hardware import Hardware
from .figures import figures
from .pictures import Cut, divide, learning_cuts, originals, suite_cuts
from .rendering import RenderRecipe, RenderTraining

PLAN = Path(__file__).parent / "recipes.yaml"
_SEED_OF_FIRST_BANK = 100


@dataclass(frozen=True)
class Plan:
    """What `recipes.yaml` says.

    Attributes
    ----------
    bank, held : int
        Pictures that every model learns from, and that its figures are measured on.
    aim : dict of str to float
        Luma, chroma and sharpness for all models.
    weights : tuple of str
        Names of the seeds, e.g. ``w0``.
    models : dict of str to dict
        By family: config of its renderer, the fields of its recipe, and the longest ``minutes`` that it may train.
    """

    bank: int
    held: int
    aim: dict[str, float]
    weights: tuple[str, ...]
    models: dict[str, dict[str, Any]]

    def names(self) -> list[str]:
        """``family/weights`` of all models: the first weights of every family first."""
        return [f"{family}/{weights}" for weights in self.weights for family in self.models]

    def recipe(self, model: str) -> RenderRecipe:
        """The recipe of ``family/weights``; UsageError if there is none."""
        if model not in self.names():
            raise unknown_name("model", model, self.names())
        family, _, weights = model.partition("/")
        fields = {name: value for name, value in self.models[family].items() if name != "minutes"}
        return RenderRecipe(family=f"{family}-renderer", seed=self.weights.index(weights), **self.aim, **fields)

    def minutes(self, model: str) -> float:
        """The longest that ``family/weights`` may train."""
        return self.models[model.partition("/")[0]]["minutes"]


def load_plan(path: Path = PLAN) -> Plan:
    """Read a plan."""
    document = read_yaml(path, UsageError)
    return Plan(**{**document, "weights": tuple(document["weights"])})


@dataclass(frozen=True)
class MatchedWorkFolder:
    """``root`` holds everything that the making leaves behind, save what ``export`` writes."""

    root: Path
    plan: Plan
    hardware: Hardware = field(default_factory=Hardware)

    def cut(self, photographs: Path, drawings: Path) -> None:
        """Cut all pictures, fit the block code, and keep both."""
        self.root.mkdir(parents=True, exist_ok=True)
        parts = divide(originals(photographs, drawings))
        np.save(self.root / "held.npy", learning_cuts(parts["validation"], self.plan.held, 1))
        for i, weights in enumerate(self.plan.weights):
            bank = learning_cuts(parts["training"], self.plan.bank, _SEED_OF_FIRST_BANK + i)
            np.save(self._bank(weights), bank)
            if i == 0:
                fit_block_code(bank).save(self.code_file)

    def suite(self, photographs: Path, drawings: Path) -> list[Cut]:
        """The pictures of the suite, in their order."""
        return suite_cuts(divide(originals(photographs, drawings))["suite"], 2)

    @property
    def code_file(self) -> Path:
        return self.root / "block-code.safetensors"

    def code(self) -> BlockCode:
        """The block code, fitted on the first bank."""
        return load_block_code(self.code_file)

    def linear_figures(self) -> str:
        """What the code alone achieves on the held-out pictures, without any network."""
        held, code = self._load(self.root / "held.npy"), self.code()
        pixels = np.clip(np.rint(code.decode(code.encode(held)) * 127.5 + 127.5), 0, 255).astype(np.uint8)
        found = figures(pixels, held)
        return f"{found.luma:.1f} dB, {found.chroma:.1f} dB, {found.sharpness:.2f}"

    def folder(self, model: str) -> Path:
        """Where a model's training lives."""
        return self.root / model.replace("/", "-")

    def training(self, model: str) -> RenderTraining:
        """The training of ``family/weights``, resumed if begun."""
        recipe = self.plan.recipe(model)
        names = self._bank(model.partition("/")[2]), self.root / "held.npy"
        (bank, codes), (held, held_codes) = ((self._load(name), self._codes(name)) for name in names)
        # On a CPU that others use too, a minute of the wall clock says nothing about how much was learned.
        clock = time.process_time if self.hardware.device.type == "cpu" else time.monotonic
        return RenderTraining(recipe, codes, held_codes, bank, held, self.folder(model), self.hardware, clock)

    def train(self, model: str, minutes: float | None = None) -> RenderTraining:
        """Train one model to the plan's aim, or for the longest that the plan (or ``minutes``) allows.

        Minutes are processor time on a CPU, wall clock elsewhere.
        """
        training = self.training(model)
        training.run(self.plan.minutes(model) if minutes is None else minutes)
        return training

    def _bank(self, weights: str) -> Path:
        return self.root / f"bank-{weights}.npy"

    def _codes(self, pictures: Path) -> np.ndarray:
        """The codes of a file of pictures, kept beside it."""
        path = pictures.with_name(f"{pictures.stem}-codes.npy")
        if not path.exists():
            pixels, code = self._load(pictures), self.code()
            parts = [code.encode(pixels[i : i + 256]) for i in range(0, len(pixels), 256)]
            np.save(path, np.concatenate(parts))
        return np.load(path)

    def _load(self, path: Path) -> np.ndarray:
        if not path.exists():
            raise DatasetError(f"{path}: not there; cut the pictures first ('cut --photographs DIR --drawings DIR').")
        return np.load(path)
