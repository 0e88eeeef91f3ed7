"""Puts a board's table into a Markdown file, between two markers, so that no number there is typed by hand.

``python -m osbench.leaderboard.readme build/demo/leaderboard README.md``
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from ..benchmark.metrics.intervals import Interval
from ..core.errors import RunError
from ..core.markdown import markdown_table
from .board import JSON_FILE, Board
from .tables import shown_metrics

SHOWN_RULES = ("native", "never", "msp", "centroid-sigma")
"""Of a dozen rules of a classifier: the paper's way, the plainest one, and paper 1's own. Chosen beforehand, not by
score; the page shows all."""

_TITLES = {
    "auc_af1_crr": "AUC",
    "af1": "aF1",
    "crr": "CRR",
    "auroc": "AUROC",
    "oscr": "OSCR",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}

BEGIN, END = "<!-- board:begin -->", "<!-- board:end -->"


def board_markdown(board: Board) -> str:
    """The entries of a board with one of ``SHOWN_RULES`` as a Markdown table with intervals."""
    columns = {name: _TITLES[name] for name in shown_metrics(board)}
    shown = [entry for entry in board.entries if entry.rule in SHOWN_RULES]
    rows = [
        [
            entry.name,
            f"{entry.rule} ({entry.variant})" if entry.variant else entry.rule,
            len(entry.seeds),
            *(_cell(entry.metrics[name]) for name in columns),
        ]
        for entry in shown
    ]
    table = markdown_table(["method", "rejection", "seeds", *columns.values()], rows)
    where = f"Suite {board.suite}, protocol {board.protocol}, manifest `{board.manifest_id[:12]}`"
    left = len(board.entries) - len(shown)
    more = [f"\n{left} more entries, of other rejection rules, are on the page."] if left else []
    return "\n".join([f"{where}; 95 % intervals over seeds and images:", "", table, *more])


def _cell(metric: Interval) -> str:
    if not math.isfinite(metric.estimate):
        return "-"
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return f"{metric.estimate:.3f}"
    return f"{metric.estimate:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def update(board_folder: Path, target: Path) -> None:
    """Replace what stands between the markers of ``target`` by the table of the board in ``board_folder``."""
    text = target.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise RunError(f"{target}: no lines '{BEGIN}' and '{END}' to put the table between.")
    table = board_markdown(Board.from_json(json.loads((board_folder / JSON_FILE).read_text())))
    target.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    update(Path(sys.argv[1]), Path(sys.argv[2]))
