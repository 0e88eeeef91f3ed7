"""Accuracy against shots in tables, for people and for Markdown."""

from __future__ import annotations

import math

from ...core.columns import text_columns
from .curves import Crossing, Gap, ShotCurves, ShotLine, ShotPoint


def curves_text(curves: ShotCurves) -> str:
    """One line for each method, then the crossings."""
    rows = [["method", *(f"{shots} shots" for shots in curves.shots)], *line_rows(curves)]
    parts = [f"{curves.title}: {curves.metric}, mean over repeats (95 % intervals)", text_columns(rows)]
    if curves.crossings:
        parts.append(text_columns([["trained", "is above", "from shots", "95 %"], *crossing_rows(curves)]))
    return "\n".join(parts)


def line_rows(curves: ShotCurves) -> list[list[str]]:
    """Label and values by shots; a training-free line has its value once, for all of them."""
    return [[_name(line), *(_at(line, shots) for shots in curves.shots)] for line in curves.lines]


def crossing_rows(curves: ShotCurves) -> list[list[str]]:
    """Trained label, training-free label, where they cross, the interval."""
    return [[c.trained, c.training_free, *crossing_cells(c, curves)] for c in curves.crossings]


def crossing_cells(crossing: Crossing, curves: ShotCurves) -> tuple[str, str]:
    """Where two lines cross, and the interval of it."""
    shots = [point.shots for line in curves.lines if line.label == crossing.trained for point in line.points]
    place, low, high = (_place(value, shots) for value in (crossing.shots, crossing.low, crossing.high))
    return place, low if low == high else f"{low} to {high}"


def gap_text(gap: Gap) -> str:
    """A difference with its interval."""
    if not math.isfinite(gap.difference):
        return "-"
    return f"{gap.difference:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"


def _place(value: float | None, shots: list[int]) -> str:
    if value is None:
        return f"more than {max(shots)}"
    return f"{min(shots)} or fewer" if value <= min(shots) else f"{value:.1f}"


def _name(line: ShotLine) -> str:
    return f"{line.label} (training-free)" if line.training_free else line.label


def _at(line: ShotLine, shots: int) -> str:
    if line.training_free:
        return _point(line.points[0])
    return next((_point(point) for point in line.points if point.shots == shots), "-")


def _point(point: ShotPoint) -> str:
    if not math.isfinite(point.value):
        return "-"
    return f"{point.value:.3f} ({point.low:.3f} to {point.high:.3f})"
