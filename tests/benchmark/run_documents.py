"""Run documents for tests: complete, and changed where a test needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from osbench.benchmark.card import MethodCard
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.predictions import Predictions
from osbench.benchmark.run_info import Config, Hardware, ManifestInfo, RunInfo
from osbench.benchmark.scores import Scores


def run_info(manifest: Manifest, rules: tuple[str, ...] = ("native", "never"), **changes: Any) -> RunInfo:
    """How a run of method ``m`` was made."""
    info = RunInfo(
        method="m",
        seed=0,
        rules=rules,
        card=MethodCard(title="M", paper="none", url=""),
        config=Config(given={}, defaults={"lr": 0.1}, options={"lr": 0.1}, crop_size=manifest.crop_size),
        manifest=ManifestInfo.of(manifest),
        code_sha256="0" * 64,
        versions={"python": "3.11"},
        git=None,
        hardware=Hardware("cpu", "a processor", "a processor", 2, 8.0, "Linux"),
        precision="float32",
        wall_time_s=1.5,
        created="2026-01-01T00:00:00+00:00",
    )
    return replace(info, **changes)


def drawn_answers(manifest: Manifest, rules: tuple[str, ...] = ("native", "never"), seed: int = 0) -> Predictions:
    """Answers to every validation and test image; ``never`` has one known score, and ``other`` its own candidates."""
    rng = np.random.default_rng(seed)
    ids = manifest.rows("val", "test")["image_id"].to_numpy(dtype=str)
    class_scores = rng.normal(size=(len(ids), len(manifest.seen)))
    known = {rule: np.zeros(len(ids)) if rule == "never" else rng.normal(size=len(ids)) for rule in rules}
    candidate = {rule: class_scores.argmin(1) if rule == "other" else class_scores.argmax(1) for rule in rules}
    return Predictions.of(ids, {rule: Scores(class_scores, known[rule], candidate[rule]) for rule in rules})
