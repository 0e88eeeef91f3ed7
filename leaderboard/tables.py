"""A board as text."""

from __future__ import annotations

import math

from ..benchmark.metrics.intervals import Interval
from ..benchmark.robustness.laundering_score import LAUNDERING
from ..core.columns import text_columns
from .board import Board
from .entry import Laundering

SHOWN_METRICS = ("auc_af1_crr", "af1", "crr", "auroc", "oscr")
CLOSED_METRICS = ("accuracy", "macro_f1")
"""What is shown where nobody is unseen."""


def board_text(board: Board) -> str:
    """The board as a compact text table, then what was left out."""
    shown = shown_metrics(board)
    rows = [
        [
            "-" if entry.rank is None else str(entry.rank),
            entry.name,
            " ".join(part for part in (entry.rule, entry.variant) if part),
            str(len(entry.seeds)),
            *(_cell(entry.metrics[name]) for name in shown),
        ]
        for entry in board.entries
    ]
    header = ["#", "method", "rejection", "seeds", *shown]
    if any(entry.laundering for entry in board.entries):
        header.append(f"{LAUNDERING} (#)")
        rows = [[*row, _laundering_cell(entry.laundering)] for row, entry in zip(rows, board.entries, strict=True)]
    title = f"{board.suite}, {board.fold}, manifest {board.manifest_id[:12]} (95 % intervals: these generators)"
    lines = [title, text_columns([header, *rows])]
    if board.ranks_note:
        lines.append(board.ranks_note)
    lines += reproduction_lines(board)
    if board.refused:
        lines.append(f"left out: {len(board.refused)}")
        lines += [f"  {item.run}: {item.reason}" for item in board.refused]
    return "\n".join(lines)


def reproduction_lines(board: Board) -> list[str]:
    """One line for each method that is no full reproduction, in the order of the board."""
    said = {
        entry.card.title: f"{entry.method}: {entry.card.reproduction_text}"
        for entry in board.entries
        if entry.card.reproduction not in (None, "full")
    }
    return list(dict.fromkeys(said.values()))


def shown_metrics(board: Board) -> tuple[str, ...]:
    """The metrics of a small table."""
    return CLOSED_METRICS if board.primary in CLOSED_METRICS else SHOWN_METRICS


def _laundering_cell(found: Laundering | None) -> str:
    if found is None:
        return "-"
    return f"{_cell(found.score)} ({'-' if found.rank is None else found.rank})"


def _cell(metric: Interval) -> str:
    if not math.isfinite(metric.estimate):
        return "-"
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return f"{metric.estimate:.3f}"
    return f"{metric.estimate:.3f} [{metric.low:.2f}, {metric.high:.2f}]"
