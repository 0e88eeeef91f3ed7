"""Real run folders whose scores are drawn, not predicted: a fixed seed and a chosen skill give a plausible method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from osbench.benchmark.card import MethodCard
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.predictions import Predictions
from osbench.benchmark.robustness.surface import LAUNDERED_FILE
from osbench.benchmark.robustness.surface import write_laundered as write_cells
from osbench.benchmark.robustness.treatments import CLEAN, Cell
from osbench.benchmark.run_info import Config, RunInfo
from osbench.benchmark.runs import Run, answers_to_test, run_id, store_manifest
from osbench.benchmark.scores import Scores
from tests.benchmark import run_documents as documents

CARD = MethodCard(
    title="Open-set attribution by metric learning",
    paper="Fang, Nguyen and Stamm, Open set synthetic image source attribution, BMVC 2023",
    url="https://arxiv.org/abs/2308.11557",
    faithful=["Class references (eq. 4), nearest one (eq. 5)", "Rejection by normalised distance (eqs. 6 to 8)"],
    deviations=["No pre-training on camera models", "Crops smaller than 256 pixels"],
    published={"af1": 0.9, "crr": 0.645, "auc_af1_crr": 0.868},
)
DEFAULTS: dict[str, Any] = {"epochs": 30}
CODE = "c0de" * 16


@dataclass(frozen=True)
class Drawn:
    """How to draw a run.

    Attributes
    ----------
    rules: rejection rule -> how many standard deviations unseen images lie further away than seen ones; 0 = never
        rejects better than chance; None = one score for every image.
    skill: share of seen images whose candidate is right, above guessing.
    given: options that differ from :data:`DEFAULTS`.
    """

    method: str
    skill: float
    rules: Mapping[str, float | None]
    given: Mapping[str, Any] = field(default_factory=dict)
    card: MethodCard = CARD
    crop_size: int | None = None
    code: str = CODE
    created: str = "2025-11-22T04:00:00+00:00"


def draw_predictions(manifest: Manifest, drawn: Drawn, seed: int) -> Predictions:
    """Answers to all validation and test images of the manifest; the same arguments give the same answers."""
    rows = manifest.rows("val", "test")
    rng = np.random.default_rng([seed, *drawn.method.encode()])
    n, k = len(rows), len(manifest.seen)
    unseen = (rows["openness"] == "unseen").to_numpy()
    truth = rows["class_index"].to_numpy()
    right = ~unseen & (rng.random(n) < drawn.skill)
    candidate = np.where(right, truth, rng.integers(0, k, n))
    noise, spread = rng.gamma(4.0, 0.5, n), rng.gamma(2.0, 0.4, (n, k))
    # Unseen generators differ in how far away they are, and wrongly named seen images lie further out too.
    place = np.array([dict(zip(manifest.unseen, range(99), strict=False)).get(name, -1) for name in rows["generator"]])
    class_scores = -(noise[:, None] + spread * (np.arange(k) != candidate[:, None]))
    answers = {}
    for rule, gap in drawn.rules.items():
        shift = np.where(place >= 0, (gap or 0.0) * (0.6 + 0.8 * place), 0.0) + 0.8 * (~right & ~unseen)
        known = np.zeros(n) if gap is None else -0.35 * (2.6 + shift + noise)
        answers[rule] = Scores(class_scores, known, candidate)
    return Predictions.of(rows["image_id"].to_numpy(str), answers)


def run_info(manifest: Manifest, drawn: Drawn, seed: int) -> RunInfo:
    """How the run says that it was made."""
    given = dict(drawn.given)
    return documents.run_info(
        manifest,
        tuple(drawn.rules),
        method=drawn.method,
        seed=seed,
        card=drawn.card,
        config=Config(given, DEFAULTS, DEFAULTS | given, drawn.crop_size or manifest.crop_size),
        code_sha256=drawn.code,
        versions={"osbench": "0.1.0"},
        wall_time_s=312.5,
        created=drawn.created,
        normalised_distances=tuple(rule for rule in drawn.rules if rule in ("native", "centroid-sigma")),
    )


def write_run(runs_dir: Path, manifest: Manifest, drawn: Drawn, seed: int, *, tag: str = "0a1b2c3d") -> Run:
    """Publish a drawn run as the harness does, its manifest beside it."""
    store_manifest(runs_dir, manifest)
    folder = runs_dir / drawn.method / run_id(seed, tag)
    return Run.write(folder, run_info(manifest, drawn, seed), draw_predictions(manifest, drawn, seed))


def write_laundered(run: Run, manifest: Manifest, cells: Sequence[Cell]) -> None:
    """Answers of a run under laundering: its own ones when clean, else with every 3rd known score lowered by 2."""
    own = answers_to_test(run.predictions(manifest), manifest)
    lowered = {
        rule: np.where(np.arange(len(own)) % 3 == 0, known - 2, known).astype(np.float32)
        for rule, known in own.known_score.items()
    }
    worse = Predictions(own.image_ids, own.class_scores, own.candidate, lowered, own.other_candidate)
    write_cells({cell: own if cell == CLEAN else worse for cell in cells}, run.folder / LAUNDERED_FILE)


NETWORK_RULES = {"centroid-sigma": 1.6, "msp": 1.0, "never": None}
BOARD = (
    Drawn("proposed", 0.9, {"native": 3.2}),
    Drawn("resnet50", 0.93, NETWORK_RULES),
    Drawn("dct-cnn", 0.72, {"centroid-sigma": 1.5, "msp": 0.7, "never": None}),
)
"""A board in the shape of the mini suite's: a clear winner, rejection rules of two networks, two that never reject."""


def write_board_runs(runs_dir: Path, manifest: Manifest, seeds: int = 3) -> list[Run]:
    """All runs of :data:`BOARD`."""
    return [write_run(runs_dir, manifest, drawn, seed) for drawn in BOARD for seed in range(seeds)]
