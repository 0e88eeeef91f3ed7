"""Real run folders whose scores are drawn, not predicted: a fixed seed and a chosen skill give a plausible method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from osbench.benchmark.laundered import cell_file
from osbench.benchmark.laundering import CLEAN, Cell
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Scores
from osbench.benchmark.predictions import Predictions, write_predictions
from osbench.benchmark.runs import RUN_SCHEMA_VERSION, Run, run_id, store_manifest

CARD: dict[str, Any] = {
    "title": "Open-set attribution by metric learning",
    "paper": "Fang, Nguyen and Stamm, Open set synthetic image source attribution, BMVC 2023",
    "url": "https://arxiv.org/abs/2308.11557",
    "faithful": ["Class references (eq. 4), nearest one (eq. 5)", "Rejection by normalised distance (eqs. 6 to 8)"],
    "deviations": ["No pre-training on camera models", "Crops smaller than 256 pixels"],
    "licence": "Apache-2.0",
    "published": {"af1": 0.9, "crr": 0.645, "auc_af1_crr": 0.868},
    "input_range": "0..1",
}


@dataclass(frozen=True)
class Drawn:
    """How to draw a run.

    Attributes
    ----------
    skill: share of seen images whose candidate is right, above guessing.
    gap: how many standard deviations unseen images lie further away than seen ones; 0 = never rejects better than
        chance. ``constant`` gives every image one score.
    """

    method: str
    rejection: str
    skill: float
    gap: float
    constant: bool = False
    given: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=lambda: dict(CARD))


def draw_predictions(manifest: Manifest, drawn: Drawn, seed: int) -> Predictions:
    """Answers to all validation and test images of the manifest; the same arguments give the same answers."""
    rows = manifest.rows("val", "test")
    name = f"{drawn.method}/{drawn.rejection}".encode()
    rng = np.random.default_rng([seed, *name])
    n, k = len(rows), len(manifest.seen)
    unseen = (rows["openness"] == "unseen").to_numpy()
    truth = rows["class_index"].to_numpy()
    right = ~unseen & (rng.random(n) < drawn.skill)
    candidate = np.where(right, truth, rng.integers(0, k, n))
    # Unseen generators differ in how far away they are, and wrongly named seen images lie further out too.
    per_generator = {g: drawn.gap * (0.6 + 0.8 * i) for i, g in enumerate(manifest.unseen)}
    shift = np.array([per_generator.get(name, 0.0) for name in rows["generator"]]) + 0.8 * (~right & ~unseen)
    distance = 0.35 * (2.6 + shift + rng.gamma(4.0, 0.5, n))
    known = np.zeros(n) if drawn.constant else -distance
    class_scores = -(distance[:, None] + rng.gamma(2.0, 0.4, (n, k)) * (np.arange(k) != candidate[:, None]))
    return Predictions(rows["image_id"].to_numpy(str), Scores(class_scores, known, candidate))


def write_run(runs_dir: Path, manifest: Manifest, drawn: Drawn, seed: int, *, tag: str = "0a1b2c3d") -> Run:
    """Publish a drawn run as the harness does, its manifest beside it."""
    store_manifest(runs_dir, manifest)
    info = {
        "schema_version": RUN_SCHEMA_VERSION,
        "method": drawn.method,
        "rejection": drawn.rejection,
        "seed": seed,
        "card": drawn.card,
        "config": {"given": drawn.given, "defaults": {"epochs": 30}, "resolved": {"epochs": 30} | drawn.given},
        "manifest": {
            "manifest_id": manifest.manifest_id,
            "protocol": manifest.protocol,
            "fold": manifest.fold,
            "suite": manifest.suite,
            "seen": list(manifest.seen),
            "unseen": list(manifest.unseen),
            "crop_size": manifest.crop_size,
            "counts": manifest.counts(),
        },
        "versions": {"osbench": "0.1.0"},
        "git": None,
        "hardware": {"device": "cpu", "device_name": "a processor", "cores": 2},
        "wall_time_s": 312.5,
        "created": "2025-11-22T04:00:00+00:00",
    }
    folder = runs_dir / "".join(c if c.isalnum() or c in "-_" else "_" for c in drawn.method)
    return Run.write(folder / run_id(drawn.rejection, seed, tag), info, draw_predictions(manifest, drawn, seed))


def write_laundered(run: Run, manifest: Manifest, cells: Sequence[Cell]) -> None:
    """Answers of a run under laundering: its own ones when clean, else with every 3rd known score lowered by 2."""
    own = run.predictions(manifest).take((manifest.rows("val", "test")["split"] == "test").to_numpy())
    for cell in cells:
        scores = own.scores
        if cell != CLEAN:
            lowered = np.where(np.arange(len(own)) % 3 == 0, scores.known_score - 2, scores.known_score)
            scores = Scores(scores.class_scores, lowered, scores.candidate)
        cell_file(run, cell).parent.mkdir(exist_ok=True)
        write_predictions(Predictions(own.image_ids, scores), cell_file(run, cell))


BOARD = (
    Drawn("proposed", "native", 0.9, 3.2),
    Drawn("resnet50", "centroid-sigma", 0.93, 1.6),
    Drawn("resnet50", "msp", 0.93, 1.0),
    Drawn("resnet50", "never", 0.93, 0.0, constant=True),
    Drawn("dct-cnn", "centroid-sigma", 0.72, 1.5),
    Drawn("dct-cnn", "msp", 0.72, 0.7),
    Drawn("dct-cnn", "never", 0.72, 0.0, constant=True),
)
"""A board in the shape of the mini suite's: a clear winner, rejection rules of two networks, two that never reject."""


def write_board_runs(runs_dir: Path, manifest: Manifest, seeds: int = 3) -> list[Run]:
    """All runs of :data:`BOARD`."""
    return [write_run(runs_dir, manifest, drawn, seed) for drawn in BOARD for seed in range(seeds)]
