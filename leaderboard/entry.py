"""One entry of a board: the runs of one method and one rejection rule, over its seeds."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..benchmark.manifest import Manifest
from ..benchmark.metrics import (
    Outcome,
    auroc_per_generator,
    bootstrap_intervals,
    choose_threshold,
    crr_per_generator,
    generator_interval,
    null_for_nan,
    per_generator_intervals,
)
from ..benchmark.metrics.intervals import Interval
from ..benchmark.runs import Run
from ..benchmark.score import DEFAULT_RULE, answers_of, confusion
from ..core.errors import RunError

#: Longest name of a method or rejection rule, in characters.
MAX_NAME = 80


@dataclass(frozen=True)
class ScoredRun:
    """A run with its answers to validation and test images, and the threshold that the validation images give."""

    run: Run
    test: Outcome
    threshold: float
    validation: Outcome

    @classmethod
    def of(cls, run: Run, manifest: Manifest, rule: str = DEFAULT_RULE) -> ScoredRun:
        """Read and check the predictions of a run; RunError if they do not fit the manifest exactly.

        RunError also for names or a seed that a table could not hold: the run may come from anybody.
        """
        if not all(name.isprintable() and 0 < len(name) <= MAX_NAME for name in (run.method, run.rejection)):
            raise RunError(f"{run.folder}: method and rejection need names of 1 to {MAX_NAME} printable characters.")
        if not 0 <= run.seed < 2**63:
            raise RunError(f"{run.folder}: the seed is not in 0 .. 2**63 - 1.")
        answers = answers_of(run, manifest)
        return cls(run, answers.test, choose_threshold(rule, answers.validation), answers.validation)


def settings_key(run: Run) -> str:
    """A short hash of the resolved settings: seeds of different settings are never averaged."""
    resolved = run.info["config"].get("resolved")
    return hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()[:8]


def settings_text(run: Run) -> str:
    """The settings that were given instead of the defaults, e.g. ``epochs=5, network=resnet50``; may be empty."""
    given = run.info["config"].get("given")
    if not isinstance(given, dict):
        return ""
    return ", ".join(_text(f"{key}={value}", 60) for key, value in sorted(given.items()))


def entry_numbers(runs: Sequence[ScoredRun], manifest: Manifest, *, bootstrap: int, seed: int = 0) -> dict[str, Any]:
    """The numbers of an entry, means over its seeds.

    Keys: ``metrics`` and ``per_generator`` with ``mean``, ``low``, ``high`` (95 %, *these generators*: images resampled
    within each generator, and seeds where there are several), ``new_generator`` with ``low``, ``high`` (95 %,
    *a new generator*), ``operating`` (aF1 and CRR at the threshold). Undefined numbers are None.
    """
    tests, thresholds = [r.test for r in runs], [r.threshold for r in runs]
    intervals = bootstrap_intervals(tests, thresholds, replicates=bootstrap, seed=seed)
    metrics = {name: _estimate(interval) for name, interval in intervals.items()}
    crr = np.mean([crr_per_generator(r.test, r.threshold) for r in runs], axis=0)
    auroc = np.mean([auroc_per_generator(r.test) for r in runs], axis=0)
    fresh = {"crr": generator_interval(crr), "auroc_macro": generator_interval(auroc)}
    return null_for_nan(
        {
            "metrics": metrics,
            "per_generator": _per_generator(tests, thresholds, manifest, bootstrap, seed),
            "new_generator": {name: {"low": i.low, "high": i.high} for name, i in fresh.items()},
            "operating": {"crr": metrics["crr"]["mean"], "af1": metrics["af1"]["mean"]},
        }
    )


def _per_generator(
    tests: list[Outcome], thresholds: list[float], manifest: Manifest, bootstrap: int, seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    intervals = per_generator_intervals(tests, thresholds, replicates=bootstrap, seed=seed)
    seen = {name: {"f1": _estimate(f1)} for name, f1 in zip(manifest.seen, intervals["f1_per_class"], strict=True)}
    unseen = {
        name: {"crr": _estimate(crr), "auroc": _estimate(auroc)}
        for name, crr, auroc in zip(
            manifest.unseen, intervals["crr_per_generator"], intervals["auroc_per_generator"], strict=True
        )
    }
    return seen | unseen


def _estimate(interval: Interval) -> dict[str, float]:
    return {"mean": interval.estimate, "low": interval.low, "high": interval.high}


def entry_confusion(runs: Sequence[ScoredRun], manifest: Manifest) -> dict[str, Any]:
    """``rows``, ``columns`` (the last one ``unknown``) and ``counts`` of test images, all seeds together."""
    tables = [confusion(r.test, manifest, r.threshold) for r in runs]
    counts = np.sum([table["counts"] for table in tables], axis=0)
    return tables[0] | {"counts": counts.tolist()}


def entry_card(run: Run) -> dict[str, Any]:
    """The method card of a run, reduced to text and finite numbers: it may come from anybody."""
    card = run.info["card"]
    published = card.get("published")
    numbers = published if isinstance(published, dict) else {}
    return {
        **{key: _text(card.get(key)) for key in ("title", "paper", "url", "licence", "input_range")},
        **{key: _lines(card.get(key)) for key in ("faithful", "deviations")},
        "published": {
            _text(name, 40): number for name, value in numbers.items() if (number := _number(value)) is not None
        },
    }


def entry_hardware(run: Run) -> str:
    """The device and its cores in words, from what a run recorded; empty if it recorded nothing of use."""
    hardware = run.info["hardware"]
    name = _text(hardware.get("device_name"), 100)
    if hardware.get("device") != "cpu":
        return name
    cores = hardware.get("cores")
    return ", ".join(part for part in (name, f"{cores} cores"[:40] if isinstance(cores, int) else "") if part)


def entry_seconds(runs: Sequence[ScoredRun]) -> float | None:
    """Mean wall time of a seed in seconds, None if a run claims a time that is no number."""
    seconds = [_number(r.run.info["wall_time_s"]) for r in runs]
    known = [value for value in seconds if value is not None]
    return float(np.mean(known)) if len(known) == len(seconds) else None


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e15:
        return None
    return float(value) if math.isfinite(value) else None


def _text(value: Any, length: int = 500) -> str:
    """Printable characters only: no control sequences for terminals, no lone surrogates for files."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:length])


def _lines(value: Any) -> list[str]:
    return [_text(line) for line in value[:20] if isinstance(line, str)] if isinstance(value, list) else []
