"""Puts a board's table into a Markdown file, between two markers, so that no number there is typed by hand.

``python -m osbench.leaderboard.readme build/demo/leaderboard README.md mini``

The last word is an experiment: of a dozen rejection rules of a classifier the table has those that the experiment asks
for, chosen beforehand and not by score. The page has all.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection
from pathlib import Path

from ..benchmark.experiment import load_experiment
from ..benchmark.metrics.intervals import Interval
from ..core.errors import RunError
from ..core.foreign import read_json
from ..core.markdown import markdown_table
from .board import JSON_FILE, Board
from .tables import shown_metrics

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

_MAX_BYTES = 1 << 28


def board_markdown(board: Board, rules: Collection[str] = ()) -> str:
    """The entries of a board as a Markdown table with intervals.

    Parameters
    ----------
    board : Board
        Whose entries.
    rules : collection of str
        Only entries by these rejection rules, and those of a method that has none of them; all without it.

    Returns
    -------
    str
        What was answered, the table, and how many entries are not in it.
    """
    columns = {name: _TITLES[name] for name in shown_metrics(board)}
    having = {entry.method for entry in board.entries if entry.rule in rules}
    shown = [entry for entry in board.entries if entry.rule in rules or entry.method not in having]
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


def update(board_folder: Path, target: Path, rules: Collection[str] = ()) -> None:
    """Replace what stands between the markers of a file by the table of a board.

    Parameters
    ----------
    board_folder : Path
        The folder that the board was saved to.
    target : Path
        A Markdown file.
    rules : collection of str
        As for :func:`board_markdown`.

    Raises
    ------
    RunError
        The file has no markers, or the folder holds no readable board; then nothing is written.
    """
    text = target.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise RunError(f"{target}: no lines '{BEGIN}' and '{END}' to put the table between.")
    board = Board.from_json(read_json(board_folder / JSON_FILE, RunError, _MAX_BYTES))
    target.write_text(f"{before}{BEGIN}\n{board_markdown(board, rules)}\n{END}{after}")


if __name__ == "__main__":
    update(Path(sys.argv[1]), Path(sys.argv[2]), load_experiment(sys.argv[3]).rules or ())
