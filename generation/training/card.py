"""The zoo's card: what each packaged network is, how it was trained, and how far its pictures are from photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..families import load_safetensors_generator
from ..progress import track
from .frechet import EfficientNetLite0, features, frechet_distance
from .plan import Workshop

COUNT = 512

_HEAD = """# The zoo: small generators that ship with osbench

Every network here is one of the seven families of paper 1 in its real architecture at small size, really trained, and
really run by `osbench generate --suite mini`. What leaves a family's trace is its architecture; how these were trained
differs from the papers, because a CPU had to do it: every adversarial family starts from reconstruction of training
pictures (latent codes of a small shared autoencoder, `generation/training/teacher.py`) and then plays the usual game
against a small plain discriminator with R1. The transformer and the diffusion model are trained as usual (stage one,
then stage two). Projected GAN's projected discriminators are replaced by that same plain one.

Training pictures: `landscape` = public-domain photographs of Debian's `endless-sky-data` (split by photograph),
`emoji` = npm `@lobehub/fluent-emoji-3d` (MIT) on coloured grounds. They are not shipped;
`python -m osbench.generation.training --help` says how to redo every file here.

**Distance** = Frechet distance in EfficientNet-Lite0 features (64 main axes, {count} images each) to {count} training
crops: comparable within this table, not with published FID values. *Held-out photographs* are crops of pictures that no
model saw, *noise* is uniform: a model should lie far below noise.

"""


def write_card(zoo: Path, workshop: Workshop, model: EfficientNetLite0) -> Path:
    """Measure every packaged model and write ``CARD.md`` and ``cards/distances.json`` into ``zoo``."""
    records = [json.loads(path.read_text()) for path in sorted((zoo / "cards").glob("*-*.json"))]
    distances: dict[str, dict[str, float]] = {}
    for training_set in sorted({r["model"].partition("/")[2] for r in records}):
        distances[training_set] = _distances(zoo, workshop, model, training_set, records)
    (zoo / "cards" / "distances.json").write_text(json.dumps(distances, indent=1) + "\n")
    (zoo / "cards" / "curves.svg").write_text(_curves(records))
    text = [_HEAD.format(count=COUNT), _table(records, distances), "\n![training curves](cards/curves.svg)\n"]
    text += [_section(record) for record in records]
    card = zoo / "CARD.md"
    card.write_text("".join(text))
    return card


def _distances(
    zoo: Path, workshop: Workshop, model: EfficientNetLite0, training_set: str, records: list[dict[str, Any]]
) -> dict[str, float]:
    bank, held_out = workshop.bank(training_set, "bank"), workshop.bank(training_set, "held")
    reference = features(model, bank[:COUNT])
    noise = np.random.default_rng(0).integers(0, 256, bank[:COUNT].shape, dtype=np.uint8)
    sets = {"training photographs, other crops": bank[COUNT : 2 * COUNT], "held-out photographs": held_out[:COUNT]}
    sets["noise"] = noise
    out = {name: frechet_distance(features(model, pixels), reference) for name, pixels in sets.items()}
    for record in track(records, description=f"measuring {training_set}", total=len(records), unit="model"):
        generator_name, _, its_set = record["model"].partition("/")
        if its_set == training_set:
            pixels = _samples(zoo / f"{generator_name}-{its_set}.safetensors")
            out[record["model"]] = frechet_distance(features(model, pixels), reference)
    return {name: round(value, 1) for name, value in out.items()}


def _samples(weights: Path) -> np.ndarray:
    generator = load_safetensors_generator(weights)
    labels = np.random.default_rng(0).integers(0, generator.c_dim, COUNT) if generator.c_dim else None
    parts = [
        generator.sample(range(i, i + 32), None if labels is None else labels[i : i + 32].tolist())
        for i in range(0, COUNT, 32)
    ]
    return np.concatenate(parts)


def _table(records: list[dict[str, Any]], distances: dict[str, dict[str, float]]) -> str:
    rows = ["| model | parameters | file, kB | minutes | images seen | distance |\n|---|---|---|---|---|---|\n"]
    for r in records:
        distance = distances[r["model"].partition("/")[2]][r["model"]]
        rows.append(
            f"| {r['model']} | {r['parameters']:,} | {r['bytes'] / 1000:.0f} | {r['seconds'] / 60:.0f} "
            f"| {r['images_seen']:,} | {distance} |\n"
        )
    for training_set, values in distances.items():
        for name in ("training photographs, other crops", "held-out photographs", "noise"):
            rows.append(f"| *{training_set}: {name}* | | | | | {values[name]} |\n")
    return "".join(rows)


def _section(record: dict[str, Any]) -> str:
    name = record["model"].replace("/", "-")
    last = {k: v for k, v in record["curve"][-1].items() if k in ("swd", "seconds", "images")}
    return (
        f"\n## {record['model']}\n\n![samples](cards/{name}.png)\n\n"
        f"- sha256 `{record['sha256']}`\n"
        f"- trained {record['seconds']} s on {record['device']}, torch {record['torch']}\n"
        f"- sliced Wasserstein distance to held-out crops: first {_first_swd(record)}, last {last.get('swd')}\n"
        f"- config: `{json.dumps(record['config'])}`\n- recipe: `{json.dumps(record['recipe'])}`\n"
    )


def _first_swd(record: dict[str, Any]) -> float | None:
    return next((p["swd"] for p in record["curve"] if "swd" in p), None)


def _curves(records: list[dict[str, Any]]) -> str:
    """Sliced Wasserstein distance over training time, one line a model (SVG)."""
    series = {r["model"]: [(p["seconds"] / 60, p["swd"]) for p in r["curve"] if "swd" in p] for r in records}
    minutes = max((x for points in series.values() for x, _ in points), default=1.0)
    top = max((y for points in series.values() for x, y in points if x > 0.5), default=1.0)
    lines = []
    for i, (name, points) in enumerate(series.items()):
        colour = f"hsl({360 * i / max(1, len(series)):.0f} 65% 45%)"
        path = " ".join(f"{50 + 500 * x / minutes:.1f},{270 - 240 * min(y, top) / top:.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.append(f'<text x="565" y="{40 + 18 * i}" fill="{colour}">{name}</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 310" font-family="sans-serif" font-size="12">'
        '<rect width="780" height="310" fill="white"/>'
        '<path d="M50 30V270H550" fill="none" stroke="#888"/>'
        f'<text x="50" y="290">0</text><text x="500" y="290">{minutes:.0f} minutes</text>'
        f'<text x="8" y="35">{top:.0f}</text><text x="20" y="272">0</text>'
        '<text x="50" y="18">sliced Wasserstein distance to held-out crops</text>' + "".join(lines) + "</svg>\n"
    )
