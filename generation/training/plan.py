"""The plan of the zoo (``recipes.yaml``) and the folder in which its models are made."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from ..errors import DatasetError, unknown_name
from ..families import save_generator
from .adversarial import AdversarialTraining, Recipe
from .diffusion import DiffusionTraining
from .pack import pack
from .teacher import Codes, load_codes, train_teacher
from .tokens import TokenTraining

PLAN_FILE = Path(__file__).with_name("recipes.yaml")


def load_plan() -> dict[str, Any]:
    """The content of ``recipes.yaml``."""
    return yaml.safe_load(PLAN_FILE.read_text())


MODELS = sorted(load_plan()["models"])

Training = AdversarialTraining | TokenTraining | DiffusionTraining


@dataclass(frozen=True)
class Workshop:
    """A working folder: packed pictures, banks of crops, codes, and one folder a model in training."""

    root: Path
    plan: dict[str, Any]

    def pack(self, training_set: str, source: Path) -> Path:
        """Pack a training set and cut its banks of crops; returns the packed file."""
        out = self.root / f"{training_set}.npz"
        pictures = pack(training_set, source, out)
        for part, seed in (("bank", 0), ("held", 1)):
            crops, labels = pictures.bank(self.plan["resolution"], self.plan[part], seed, held_out=part == "held")
            np.save(self.root / f"{training_set}-{part}.npy", crops)
            np.save(self.root / f"{training_set}-{part}-labels.npy", labels)
        return out

    def bank(self, training_set: str, part: str) -> np.ndarray:
        """The ``bank`` or ``held`` crops (N, S, S, 3) uint8 of a training set, or with ``-labels`` their classes."""
        path = self.root / f"{training_set}-{part}.npy"
        if not path.exists():
            raise DatasetError(f"{path}: not there; run the 'pack' step for '{training_set}' first.")
        return np.load(path, mmap_mode="r")

    def codes(self, training_set: str) -> Codes:
        """The teacher's codes of the bank."""
        path = self.root / f"{training_set}-codes.npz"
        if not path.exists():
            raise DatasetError(f"{path}: not there; run the 'teach' step for '{training_set}' first.")
        return load_codes(path)

    def teach(self, training_set: str, minutes: float | None) -> Path:
        """Train the teacher of a training set."""
        out = self.root / f"{training_set}-codes.npz"
        bank = np.asarray(self.bank(training_set, "bank"))
        train_teacher(bank, self.plan["z_dim"], minutes or self.plan["teacher_minutes"], out)
        return out

    def training(self, model: str) -> tuple[Training, float]:
        """The training of ``generator/training_set`` (resumed if begun) and its planned minutes."""
        generator, _, training_set = model.partition("/")
        if generator not in self.plan["models"]:
            raise unknown_name("model", generator, self.plan["models"])
        entry = dict(self.plan["models"][generator])
        kind, minutes = entry.pop("kind"), entry.pop("minutes")
        bank, held_out = self.bank(training_set, "bank"), self.bank(training_set, "held")
        folder = self.root / f"{generator}-{training_set}"
        if kind == "adversarial":
            recipe = Recipe(family=generator, **entry)
            return AdversarialTraining(recipe, bank, self.codes(training_set), np.asarray(held_out), folder), minutes
        if kind == "tokens":
            return TokenTraining(entry, bank, np.asarray(held_out), folder), minutes
        labels = np.asarray(self.bank(training_set, "bank-labels"))
        return DiffusionTraining(entry, bank, labels, np.asarray(held_out), folder), minutes

    def train(self, model: str, minutes: float | None) -> None:
        """Train one model up to its planned (or the given) number of minutes in all."""
        training, planned = self.training(model)
        training.run(minutes or planned)
        _grid(training.samples(64)).save(training.folder / "grid.png")

    def export(self, model: str, out: Path) -> Path:
        """Weights (float16 safetensors), sample grid (PNG) and training record (JSON) into ``out``."""
        training, _ = self.training(model)
        name = training.folder.name
        out.mkdir(parents=True, exist_ok=True)
        weights = out / f"{name}.safetensors"
        save_generator(training.average, weights)
        (out / "cards").mkdir(exist_ok=True)
        _grid(training.samples(64)).save(out / "cards" / f"{name}.png", optimize=True)
        record = {
            "model": model,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "bytes": weights.stat().st_size,
            "parameters": sum(p.numel() for p in training.average.parameters()),
            "config": training.average.config,
            "recipe": {k: v for k, v in self.plan["models"][model.partition("/")[0]].items() if k != "config"},
            "images_seen": training.progress.images,
            "seconds": round(training.progress.seconds),
            "device": f"CPU ({platform.machine()}), {torch.get_num_threads()} thread",
            "torch": torch.__version__,
            "curve": training.progress.curve,
        }
        (out / "cards" / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        return weights


def _grid(samples: np.ndarray, columns: int = 8) -> Image.Image:
    rows, side = len(samples) // columns, samples.shape[1]
    tiles = samples[: rows * columns].reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(tiles.reshape(rows * side, columns * side, 3))
