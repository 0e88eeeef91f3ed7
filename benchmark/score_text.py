"""A score in tables for people."""

from __future__ import annotations

import math

import pandas as pd

from .content import content_table
from .metrics.intervals import Interval
from .robustness.surface import surface_table
from .score import Score


def score_text(score: Score) -> str:
    """Metrics, generators, content if some is held out, confusion, robustness if the run was laundered."""
    threshold = score.threshold
    seeds = ", ".join(map(str, score.seeds))
    head = (
        f"{score.method} / {score.rule}, seed {seeds}, {score.manifest.fold}: threshold {threshold.value:.4g} by "
        f"{threshold.rule}{' (oracle: never ranked)' if threshold.oracle else ''}"
    )
    generators = pd.DataFrame(
        [
            (name, g.openness, g.images, *(number(i.estimate if i else None) for i in (g.f1, g.crr, g.auroc)))
            for name, g in score.per_generator.items()
        ],
        columns=["generator", "", "images", "F1", "rejected", "AUROC"],
    )
    confusion = score.confusion
    counts = pd.DataFrame(confusion.counts, index=list(confusion.rows), columns=list(confusion.columns))
    parts = [
        head,
        _intervals(score.metrics, "95 % (these generators)"),
        _intervals(score.new_generator, "95 % (a new generator)"),
        generators.to_string(index=False),
        *([content_table(score.content)] if score.content else []),
        "answers (columns) to the test images of each generator (rows):\n" + str(counts),
        *([surface_table(score.robustness)] if score.robustness else []),
    ]
    return "\n\n".join(parts)


def _intervals(intervals: dict[str, Interval], title: str) -> str:
    rows = [(name, number(i.estimate), f"{number(i.low)} .. {number(i.high)}") for name, i in intervals.items()]
    return pd.DataFrame(rows, columns=["metric", "value", title]).to_string(index=False)


def number(value: float | None) -> str:
    """Three decimals, ``-`` for an undefined number."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.3f}"
