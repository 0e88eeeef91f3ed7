"""The zoo's card: what each packaged network is, how it was trained, and how far its pictures are from photographs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core.markdown import markdown_table
from ...core.progress import track
from ..efficientnet_lite0 import EfficientNetLite0
from ..families import load_safetensors_generator
from ..families.captions import TextGenerator
from .frechet import features, frechet_distance
from .named import Judge
from .report import curves_svg, points
from .work_folder import WorkFolder

COUNT = 512
TAUGHT = 2000  # real pictures that teach the judge of captions
REAL = ("training pictures, other crops", "held-out pictures", "noise")
BANK, HELD = "bank", "held"

_HEAD = """# The zoo: small generators that ship with osbench

Every network here is one of the seven families of paper 1 in its real architecture at small size, really trained, and
really run by `osbench generate` (suite version `{suite}`). What leaves a family's trace is its architecture; how these
were trained differs from the papers, so that minutes suffice: every adversarial family starts from reconstruction of
training pictures (latent codes of a small shared autoencoder, `generation/training/teacher.py`) and then plays the
usual game against a small plain discriminator with R1. The transformer and the diffusion model are trained as usual
(stage one, then stage two). {projected}

Training pictures: `landscape` = public-domain photographs of Debian's `endless-sky-data` (split by photograph),
`emoji` = npm `@lobehub/fluent-emoji-3d` (MIT) on coloured grounds. They are not shipped;
`generation/training/README.md` says how to redo every file here.

**Distance** = Frechet distance in EfficientNet-Lite0 features (64 main axes, {count} images each) to {count} training
crops: comparable within this table, not with published FID values. *Held-out pictures* are those that no model saw,
*noise* is uniform: a model should lie far below noise. *To held-out* is the distance to {count} crops of held-out
pictures instead; other crops of the same few pictures are near to those, as nothing else can be.{previous}

"""
_TEXT_HEAD = """# The zoo of `{suite}`: five small text-to-image networks

Each is of another kind, has an autoencoder of its own where it has one, was trained from captions alone, and is really
run by `osbench generate --suite {suite}`. A caption is a bag of words with learned vectors; there is no text encoder.

Training pictures: 100 figures of npm's `@lobehub/fluent-emoji-3d` (MIT), named by Unicode, turned, scaled and shifted
on grounds of two colours (`generation/training/characters.py`). They are not shipped; `generation/training/README.md`
says how to redo every file here. Every grid shows the 100 captions in alphabetical order, one sample each, none chosen.

**Named** = samples out of 100 that lie nearest to their own character among the means of {taught} real pictures, in
EfficientNet-Lite0 features: a machine's judgement, which no training followed. Of other real pictures it names {real}
of 100; chance is 1.
**Distance** = Frechet distance in the same features (64 main axes, {count} images each) to {count} training pictures:
comparable within this table, not with published FID values. *To other draws* is the distance to other real pictures
of the same figures.{previous}

"""
_PLAIN = "Projected GAN's projected discriminators are replaced by that same plain one."
_PROJECTED = "Projected GAN plays against discriminators in EfficientNet-Lite0's features, as in its paper."
_PREVIOUS = """
*Before* is the distance of the model that this one replaces (its pictures enlarged where they are smaller), measured
against the same training crops in the same way."""


def write_card(zoo: Path, work_folder: WorkFolder, model: EfficientNetLite0, previous: Path | None = None) -> Path:
    """Measure every packaged model and write ``CARD.md`` and ``cards/distances.json`` into ``zoo``.

    previous: an older zoo, whose models of the same names are measured as well.
    """
    records = [json.loads(path.read_text()) for path in sorted((zoo / "cards").glob("*-*.json"))]
    measured = _Measured(work_folder, model, COUNT)
    models = [r["model"] for r in records]
    distances, held_out = (measured.all(models, zoo, part) for part in (BANK, HELD))
    before = {} if previous is None else measured.models(models, previous, BANK)
    document = {**distances, "held_out": held_out} | ({} if previous is None else {"before": before})
    (zoo / "cards" / "distances.json").write_text(json.dumps(document, indent=1) + "\n")
    curves = {r["model"]: points(r["curve"], "swd") for r in records}
    (zoo / "cards" / "curves.svg").write_text(curves_svg(curves))
    named = {m: share for m in models if (share := measured.named(m, zoo)) is not None}
    if named:
        named["real pictures"] = measured.named_real(_set_of(models[0]))
        (zoo / "cards" / "named.json").write_text(json.dumps(named, indent=1) + "\n")
    projected = any(r["recipe"].get("discriminator") == "projected" for r in records)
    head = (_TEXT_HEAD if named else _HEAD).format(
        count=COUNT,
        taught=TAUGHT,
        real=f"{100 * named.get('real pictures', 0):.0f}",
        suite=work_folder.plan.suite,
        projected=_PROJECTED if projected else _PLAIN,
        previous=_PREVIOUS if previous else "",
    )
    text = [head, _table(records, distances, held_out, before, named)]
    text += ["" if previous is None else f"\n{_against_before(distances, before)}\n"]
    text += ["\n![training curves](cards/curves.svg)\n"]
    text += [_section(record) for record in records]
    card = zoo / "CARD.md"
    card.write_text("".join(text))
    return card


class _Measured:
    """Frechet distances to training crops (``bank``) or held-out crops, whose features are computed once each."""

    def __init__(self, work_folder: WorkFolder, model: EfficientNetLite0, count: int) -> None:
        self.work_folder, self.model, self.count = work_folder, model, count
        self.references: dict[tuple[str, str], np.ndarray] = {}
        self.judges: dict[str, Judge] = {}
        self.features: dict[Path, np.ndarray] = {}

    def all(self, models: list[str], zoo: Path, part: str) -> dict[str, dict[str, float]]:
        """By training set: its real crops, noise, and each of its models."""
        measured = self.models(models, zoo, part)
        return {
            training_set: self._real(training_set, part)
            | {m: d for m, d in measured.items() if _set_of(m) == training_set}
            for training_set in sorted({_set_of(m) for m in models})
        }

    def models(self, models: list[str], zoo: Path, part: str) -> dict[str, float]:
        """By model, for those whose weights are in ``zoo``."""
        files = {m: zoo / f"{m.replace('/', '-')}.safetensors" for m in models}
        files = {m: path for m, path in files.items() if path.exists()}
        return {
            m: self._distance(self._features(m, path), _set_of(m), part)
            for m, path in track(files.items(), description="measuring models", total=len(files), unit="model")
        }

    def named(self, model: str, zoo: Path) -> float | None:
        """Share of a model's samples that show what their caption says; None if it takes no captions."""
        weights = zoo / f"{model.replace('/', '-')}.safetensors"
        if not load_safetensors_generator(weights).text_conditioned:
            return None
        names = self.work_folder.class_names(_set_of(model))
        labels = np.arange(self.count) % len(names)
        return round(self._judge(_set_of(model)).share(self._features(model, weights), labels), 3)

    def named_real(self, training_set: str) -> float:
        """The same share of real pictures that were not used to teach the judge."""
        pixels, labels = (self.work_folder.crops(training_set, part)[: self.count] for part in (HELD, f"{HELD}-labels"))
        return round(self._judge(training_set).share(features(self.model, pixels), labels), 3)

    def _judge(self, training_set: str) -> Judge:
        if training_set not in self.judges:
            pixels, labels = (self.work_folder.crops(training_set, part)[:TAUGHT] for part in (BANK, f"{BANK}-labels"))
            self.judges[training_set] = Judge.taught(features(self.model, pixels), labels)
        return self.judges[training_set]

    def _features(self, model: str, weights: Path) -> np.ndarray:
        if weights not in self.features:
            pixels = _samples(weights, self.count, lambda: self.work_folder.class_names(_set_of(model)))
            self.features[weights] = features(self.model, pixels)
        return self.features[weights]

    def _real(self, training_set: str, part: str) -> dict[str, float]:
        """A set without enough crops besides those that are measured against is left out."""
        count = self.count
        bank, held_out = (self.work_folder.crops(training_set, name) for name in (BANK, HELD))
        noise = np.random.default_rng(0).integers(0, 256, bank[:count].shape, dtype=np.uint8)
        other_held_out = held_out[:count] if part == BANK else held_out[count : 2 * count]
        sets = dict(zip(REAL, (bank[count : 2 * count], other_held_out, noise), strict=True))
        return {
            name: self._distance(features(self.model, pixels), training_set, part)
            for name, pixels in sets.items()
            if len(pixels) == count
        }

    def _distance(self, rows: np.ndarray, training_set: str, part: str) -> float:
        key = training_set, part
        if key not in self.references:
            self.references[key] = features(self.model, self.work_folder.crops(training_set, part)[: self.count])
        return round(frechet_distance(rows, self.references[key]), 1)


def _set_of(model: str) -> str:
    return model.partition("/")[2]


def _samples(weights: Path, count: int, captions: Callable[[], Sequence[str]]) -> np.ndarray:
    """``count`` pictures of a generator, of the captions in turn if it takes captions."""
    generator = load_safetensors_generator(weights)
    if isinstance(generator, TextGenerator):
        names = captions()
        prompts = [names[i % len(names)] for i in range(count)]
        texts = [
            generator.sample(range(i, min(i + 32, count)), prompts=prompts[i : i + 32]) for i in range(0, count, 32)
        ]
        return np.concatenate(texts)
    labels = np.random.default_rng(0).integers(0, generator.c_dim, count) if generator.c_dim else None
    parts = [
        generator.sample(range(i, min(i + 32, count)), None if labels is None else labels[i : i + 32].tolist())
        for i in range(0, count, 32)
    ]
    return np.concatenate(parts)


def _table(
    records: list[dict[str, Any]],
    distances: dict[str, dict[str, float]],
    held_out: dict[str, dict[str, float]],
    before: dict[str, float],
    named: dict[str, float],
) -> str:
    columns = ["model", "parameters", "file, kB", "minutes", "images seen", "distance", "to held-out"]
    columns += (["named of 100"] if named else []) + (["before"] if before else [])
    rows: list[list[str]] = []
    for r in records:
        name, of = r["model"], _set_of(r["model"])
        row = [name, f"{r['parameters']:,}", f"{r['bytes'] / 1000:.0f}", f"{r['seconds'] / 60:.0f}"]
        row += [f"{r['images_seen']:,}", str(distances[of][name]), str(held_out[of][name])]
        row += [f"{100 * named[name]:.0f}"] if named else []
        rows.append([*row, str(before.get(name, "none"))] if before else row)
    for training_set, values in distances.items():
        for name in REAL:
            row = [f"*{training_set}: {name}*", "", "", "", ""]
            row += [str(of.get(name, "")) for of in (values, held_out[training_set])]
            rows.append(row + [""] * (len(columns) - len(row)))
    return markdown_table(columns, rows) + "\n"


def _against_before(distances: dict[str, dict[str, float]], before: dict[str, float]) -> str:
    """How many models lie below those that they replace, and by how much the others do not."""
    now = {m: d for values in distances.values() for m, d in values.items() if m in before}
    worse = [f"{m} by {d - before[m]:.1f}" for m, d in now.items() if not d < before[m]]
    nearer = f"{len(now) - len(worse)} of the {len(now)} models that replace another lie nearer than it."
    return nearer + (f" **Not nearer: {', '.join(worse)}.**" if worse else "")


def _clock(record: dict[str, Any]) -> str:
    return " of CPU time" if record.get("clock") == "CPU time" else ""


def _section(record: dict[str, Any]) -> str:
    name = record["model"].replace("/", "-")
    distances = [distance for _, distance in points(record["curve"], "swd")] or [None]
    return (
        f"\n## {record['model']}\n\n![samples](cards/{name}.webp)\n\n"
        f"- sha256 `{record['sha256']}`\n"
        f"- trained {record['seconds']} s{_clock(record)} on {record['device']}, torch {record['torch']}\n"
        f"- sliced Wasserstein distance to held-out crops: first {distances[0]}, last {distances[-1]}\n"
        f"- config: `{json.dumps(record['config'])}`\n- recipe: `{json.dumps(record['recipe'])}`\n"
    )
