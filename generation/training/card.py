"""The zoo's card: what each packaged network is, how it was trained, and how far its pictures are from photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..families import load_safetensors_generator
from ..progress import track
from .efficientnet import EfficientNetLite0
from .frechet import features, frechet_distance
from .report import curves_svg, points
from .workshop import Workshop

COUNT = 512
REAL = ("training photographs, other crops", "held-out photographs", "noise")

_HEAD = """# The zoo: small generators that ship with osbench

Every network here is one of the seven families of paper 1 in its real architecture at small size, really trained, and
really run by `osbench generate --suite mini`. What leaves a family's trace is its architecture; how these were trained
differs from the papers, so that minutes suffice: every adversarial family starts from reconstruction of training
pictures (latent codes of a small shared autoencoder, `generation/training/teacher.py`) and then plays the usual game
against a small plain discriminator with R1. The transformer and the diffusion model are trained as usual (stage one,
then stage two). {projected}

Training pictures: `landscape` = public-domain photographs of Debian's `endless-sky-data` (split by photograph),
`emoji` = npm `@lobehub/fluent-emoji-3d` (MIT) on coloured grounds. They are not shipped;
`generation/training/README.md` says how to redo every file here.

**Distance** = Frechet distance in EfficientNet-Lite0 features (64 main axes, {count} images each) to {count} training
crops: comparable within this table, not with published FID values. *Held-out photographs* are crops of pictures that no
model saw, *noise* is uniform: a model should lie far below noise.{previous}

"""
_PLAIN = "Projected GAN's projected discriminators are replaced by that same plain one."
_PROJECTED = "Projected GAN plays against discriminators in EfficientNet-Lite0's features, as in its paper."
_PREVIOUS = """
*Before* is the distance of the model that this one replaces, measured against the same crops in the same way."""


def write_card(zoo: Path, workshop: Workshop, model: EfficientNetLite0, previous: Path | None = None) -> Path:
    """Measure every packaged model and write ``CARD.md`` and ``cards/distances.json`` into ``zoo``.

    previous: an older zoo, whose models of the same names are measured as well.
    """
    records = [json.loads(path.read_text()) for path in sorted((zoo / "cards").glob("*-*.json"))]
    measured = _Measured(workshop, model, COUNT)
    distances = measured.all([r["model"] for r in records], zoo)
    before = {} if previous is None else measured.models([r["model"] for r in records], previous)
    document = distances if previous is None else {**distances, "before": before}
    (zoo / "cards" / "distances.json").write_text(json.dumps(document, indent=1) + "\n")
    curves = {r["model"]: points(r["curve"], "swd") for r in records}
    (zoo / "cards" / "curves.svg").write_text(curves_svg(curves))
    projected = any(r["recipe"].get("discriminator") == "projected" for r in records)
    head = _HEAD.format(
        count=COUNT, projected=_PROJECTED if projected else _PLAIN, previous=_PREVIOUS if previous else ""
    )
    text = [head, _table(records, distances, before), "\n![training curves](cards/curves.svg)\n"]
    text += [_section(record) for record in records]
    card = zoo / "CARD.md"
    card.write_text("".join(text))
    return card


class _Measured:
    """Frechet distances to training crops, whose features are computed once per training set."""

    def __init__(self, workshop: Workshop, model: EfficientNetLite0, count: int) -> None:
        self.workshop, self.model, self.count = workshop, model, count
        self.references: dict[str, np.ndarray] = {}

    def all(self, models: list[str], zoo: Path) -> dict[str, dict[str, float]]:
        """By training set: its real crops, noise, and each of its models."""
        measured = self.models(models, zoo)
        return {
            training_set: self._real(training_set) | {m: d for m, d in measured.items() if _set_of(m) == training_set}
            for training_set in sorted({_set_of(m) for m in models})
        }

    def models(self, models: list[str], zoo: Path) -> dict[str, float]:
        """By model, for those whose weights are in ``zoo``."""
        files = {m: zoo / f"{m.replace('/', '-')}.safetensors" for m in models}
        files = {m: path for m, path in files.items() if path.exists()}
        return {
            m: self._distance(_samples(path, self.count), _set_of(m))
            for m, path in track(files.items(), description="measuring models", total=len(files), unit="model")
        }

    def _real(self, training_set: str) -> dict[str, float]:
        bank, held_out = self.workshop.crops(training_set, "bank"), self.workshop.crops(training_set, "held")
        noise = np.random.default_rng(0).integers(0, 256, bank[: self.count].shape, dtype=np.uint8)
        sets = bank[self.count : 2 * self.count], held_out[: self.count], noise
        return {name: self._distance(pixels, training_set) for name, pixels in zip(REAL, sets, strict=True)}

    def _distance(self, pixels: np.ndarray, training_set: str) -> float:
        if training_set not in self.references:
            bank = self.workshop.crops(training_set, "bank")
            self.references[training_set] = features(self.model, bank[: self.count])
        return round(frechet_distance(features(self.model, pixels), self.references[training_set]), 1)


def _set_of(model: str) -> str:
    return model.partition("/")[2]


def _samples(weights: Path, count: int) -> np.ndarray:
    generator = load_safetensors_generator(weights)
    labels = np.random.default_rng(0).integers(0, generator.c_dim, count) if generator.c_dim else None
    parts = [
        generator.sample(range(i, min(i + 32, count)), None if labels is None else labels[i : i + 32].tolist())
        for i in range(0, count, 32)
    ]
    return np.concatenate(parts)


def _table(records: list[dict[str, Any]], distances: dict[str, dict[str, float]], before: dict[str, float]) -> str:
    columns = ["model", "parameters", "file, kB", "minutes", "images seen", "distance", *(["before"] if before else [])]
    rows = [columns, ["---"] * len(columns)]
    for r in records:
        row = [r["model"], f"{r['parameters']:,}", f"{r['bytes'] / 1000:.0f}", f"{r['seconds'] / 60:.0f}"]
        row += [f"{r['images_seen']:,}", str(distances[_set_of(r["model"])][r["model"]])]
        rows.append([*row, str(before.get(r["model"], "none"))] if before else row)
    for training_set, values in distances.items():
        for name in REAL:
            row = [f"*{training_set}: {name}*", "", "", "", "", str(values[name])]
            rows.append([*row, ""] if before else row)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _section(record: dict[str, Any]) -> str:
    name = record["model"].replace("/", "-")
    distances = [distance for _, distance in points(record["curve"], "swd")] or [None]
    return (
        f"\n## {record['model']}\n\n![samples](cards/{name}.png)\n\n"
        f"- sha256 `{record['sha256']}`\n"
        f"- trained {record['seconds']} s on {record['device']}, torch {record['torch']}\n"
        f"- sliced Wasserstein distance to held-out crops: first {distances[0]}, last {distances[-1]}\n"
        f"- config: `{json.dumps(record['config'])}`\n- recipe: `{json.dumps(record['recipe'])}`\n"
    )
