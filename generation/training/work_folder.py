"""The folder in which a zoo is made: pictures, banks of crops, codes, and one folder per model in training."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from ...core.errors import DatasetError
from ...core.progress import get_logger
from ..families import save_generator
from .adversarial import AdversarialRecipe, AdversarialTraining
from .bank import Bank
from .captioned import CaptionedRecipe, CaptionedTraining
from .captioned_game import CaptionedGame, CaptionedGameRecipe
from .characters import CHARACTERS, Characters, load_characters
from .diffusion import DiffusionRecipe, DiffusionTraining
from .hardware import Hardware
from .limits import MODEL_BYTES, ZOO_BYTES, check_size
from .loop import Training
from .pack import pack
from .pictures import Pictures, load_pictures
from .plan import Plan
from .report import save_grid
from .stand_in import stand_in_pictures
from .teacher import Codes, load_codes, train_teacher
from .tokens import TokenRecipe, TokenTraining

STAND_IN = "stand-in"
_SEEDS = {"bank": 0, "held": 1}


@dataclass(frozen=True)
class WorkFolder:
    """``root`` holds everything that a zoo's making leaves behind, save what ``export`` writes.

    clock: seconds that trainings count, of the wall or of this process's CPU time.
    """

    root: Path
    plan: Plan
    hardware: Hardware = field(default_factory=Hardware)
    clock: Callable[[], float] = time.monotonic

    @property
    def pictures_file(self) -> Path:
        """All training pictures of all training sets."""
        return self.root / "pictures.parquet"

    @property
    def features_file(self) -> Path:
        """Where the weights of EfficientNet-Lite0 are looked for."""
        return self.root / "efficientnet-lite0.pth"

    def pack(self, training_set: str, source: Path) -> Path:
        """Add a training set to the packed pictures and cut its crops; returns the packed file."""
        pack(training_set, source, self.pictures_file)
        self._cut(training_set, self._pictures(training_set))
        return self.pictures_file

    def has_pictures(self, training_set: str) -> bool:
        """Whether crops of a training set are there or can be cut."""
        return self._crops(training_set, "bank").exists() or training_set in self._packed()

    def with_stand_in(self, training_set: str) -> WorkFolder:
        """A working folder next to this one whose pictures of ``training_set`` are computed, with crops ready."""
        other = replace(self, root=self.root / STAND_IN)
        if not other.has_pictures(training_set):
            other._cut(training_set, stand_in_pictures(self._height(training_set)))
        return other

    def crops(self, training_set: str, part: str) -> np.ndarray:
        """The ``bank`` or ``held`` crops (N, S, S, 3) uint8 of a training set, or with ``-labels`` their classes.

        Cut from the packed pictures if they are not there yet; DatasetError if those are not there either.
        """
        path = self._crops(training_set, part)
        if not path.exists():
            self._cut(training_set, self._pictures(training_set))
        return np.load(path, mmap_mode="c")

    def class_names(self, training_set: str) -> tuple[str, ...]:
        """What the classes of :meth:`crops` are called; of characters, their captions."""
        path = self._names_file(training_set)
        if not path.exists():
            path.write_text(json.dumps(self._pictures(training_set).class_names) + "\n")
        return tuple(json.loads(path.read_text()))

    def codes(self, training_set: str) -> Codes:
        """The teacher's codes of the bank."""
        path = self.codes_file(training_set)
        if not path.exists():
            raise DatasetError(f"{path}: not there; run the 'teach' step for '{training_set}' first.")
        return load_codes(path)

    def codes_file(self, training_set: str) -> Path:
        return self.root / f"{training_set}-codes.npz"

    def teach(self, training_set: str, minutes: float | None = None) -> Path:
        """Train the teacher of a training set."""
        out, plan = self.codes_file(training_set), self.plan
        bank = Bank(self.crops(training_set, "bank"), self.hardware)
        minutes = plan.teacher_minutes if minutes is None else minutes
        train_teacher(bank, plan.z_dim, minutes, out, self.hardware, width=plan.teacher_width)
        return out

    def training(self, model: str) -> Training:
        """The training of ``generator/training_set``, resumed if begun."""
        generator, _, training_set = model.partition("/")
        recipe = self.plan.recipe(generator)
        bank, held_out = self.crops(training_set, "bank"), np.asarray(self.crops(training_set, "held"))
        rest = (held_out, self.folder(model), self.hardware, self.clock)
        if isinstance(recipe, AdversarialRecipe):
            features = self.features_file if self.features_file.exists() else None
            codes = self.codes(training_set)
            return AdversarialTraining(recipe, bank, codes, *rest, features=features)
        if isinstance(recipe, TokenRecipe):
            return TokenTraining(recipe, bank, *rest)
        labels = np.asarray(self.crops(training_set, "bank-labels"))
        if isinstance(recipe, CaptionedRecipe | CaptionedGameRecipe):
            kind = CaptionedTraining if isinstance(recipe, CaptionedRecipe) else CaptionedGame
            return kind(recipe, bank, labels, self.class_names(training_set), *rest)
        assert isinstance(recipe, DiffusionRecipe)
        return DiffusionTraining(recipe, bank, labels, *rest)

    def folder(self, model: str) -> Path:
        """Where a model's training lives."""
        return self.root / model.replace("/", "-")

    def check(self, models: Sequence[str]) -> None:
        """One-line error if something is missing that a training would only miss when its turn comes.

        UsageError for an unknown model; DatasetError for no models, pictures that are not packed, or a projected
        discriminator without the weights that it looks through.
        """
        if not models:
            raise DatasetError(f"{self.root}: no training pictures; add some with the 'pack' step.")
        for model in models:
            generator, _, training_set = model.partition("/")
            recipe = self.plan.recipe(generator)
            if not self.has_pictures(training_set):
                raise DatasetError(f"{self.root}: no '{training_set}' pictures; add them with the 'pack' step.")
            projected = isinstance(recipe, AdversarialRecipe) and recipe.discriminator == "projected"
            if projected and not self.features_file.exists():
                raise DatasetError(
                    f"{self.features_file}: not there, and the discriminator of {model} needs it; "
                    "generation/training/README.md, section Pictures, tells where it comes from."
                )

    def begun(self) -> list[str]:
        """Models of the plan that have a checkpoint."""
        models = [f"{generator}/{t}" for t in self.training_sets() for generator in self.plan.models]
        return [model for model in models if (self.folder(model) / "state.pt").exists()]

    def train(self, model: str, minutes: float | None = None) -> Training:
        """Train one model up to its planned (or the given) number of minutes in all."""
        training = self.training(model)
        training.run(self.plan.minutes(model.partition("/")[0]) if minutes is None else minutes)
        return training

    def export(self, model: str, out: Path) -> Path:
        """Weights (float16 safetensors), sample grid (WebP) and training record (JSON) into ``out``.

        DatasetError, before any file is replaced, if the weights are over 4 MB; at the end if ``out`` is over 60 MB.
        """
        training = self.training(model)
        name = training.folder.name
        (out / "cards").mkdir(parents=True, exist_ok=True)
        weights = out / f"{name}.safetensors"
        partial = weights.with_suffix(".partial")
        save_generator(training.average, partial)
        try:
            check_size(partial, MODEL_BYTES, f"make the widths of {model} in the recipes smaller")
            partial.replace(weights)
        finally:
            partial.unlink(missing_ok=True)
        # A larger picture would not be seen better, and 14 full grids of 128 px take a third of the zoo's 60 MB.
        columns = training.columns
        rows = columns if self.plan.resolution <= 64 else columns // 2
        save_grid(training.samples(rows * columns), columns, out / "cards" / f"{name}.webp")
        record = {
            "model": model,
            "suite": self.plan.suite,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "bytes": weights.stat().st_size,
            "parameters": sum(p.numel() for p in training.average.parameters()),
            "config": training.average.config,
            "recipe": {k: v for k, v in asdict(training.recipe).items() if k != "config"},
            "images_seen": training.progress.images,
            "seconds": round(training.progress.seconds),
            "clock": training.progress.clock,
            "device": training.progress.device or str(self.hardware),
            "torch": torch.__version__,
            "curve": training.progress.curve,
        }
        (out / "cards" / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        check_size(out, ZOO_BYTES, "remove models that are no longer used")
        return weights

    def training_sets(self) -> list[str]:
        """Those with pictures, sorted."""
        cut = {path.name.removesuffix("-bank.npy") for path in self.root.glob("*-bank.npy")}
        return sorted(cut | self._packed())

    def _packed(self) -> set[str]:
        if not self.pictures_file.exists():
            return set()
        return set(pq.read_table(self.pictures_file, columns=["training_set"])["training_set"].to_pylist())

    def _crops(self, training_set: str, part: str) -> Path:
        return self.root / f"{training_set}-{part}.npy"

    def _height(self, training_set: str) -> int:
        return self.plan.picture_height.get(training_set, 2 * self.plan.resolution)

    def _names_file(self, training_set: str) -> Path:
        return self.root / f"{training_set}-classes.json"

    def _pictures(self, training_set: str) -> Pictures | Characters:
        load = load_characters if training_set == CHARACTERS else load_pictures
        return load(self.pictures_file, training_set, self._height(training_set))

    def _cut(self, training_set: str, pictures: Pictures | Characters) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._names_file(training_set).write_text(json.dumps(pictures.class_names) + "\n")
        for part, seed in _SEEDS.items():
            count = getattr(self.plan, part)
            crops, labels = pictures.crops(self.plan.resolution, count, seed, held_out=part == "held")
            np.save(self._crops(training_set, f"{part}-labels"), labels)
            np.save(self._crops(training_set, part), crops)
        get_logger().info("%s: %d pictures, %d crops for training", training_set, len(pictures.pixels), self.plan.bank)
