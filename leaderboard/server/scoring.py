"""Whether a submission is in order, and its numbers: the one place where the server asks the library."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...benchmark.runs import find_manifest
from ...core.documents import to_json
from ...core.errors import OsbenchError
from ..board import build_board
from ..collect import reason
from ..tables import shown_metrics
from .verdict import Problem, Verdict


def judge(path: Path, folder: Path, bootstrap: int) -> Verdict:
    """Read and score a submission.

    Parameters
    ----------
    path : Path
        Its folder, named by its content.
    folder : Path
        The server's, for its manifests.
    bootstrap : int
        Replicates of the intervals: those of the board, which then finds the numbers in the cache.
    """
    with tempfile.TemporaryDirectory() as alone:
        place = Path(alone) / "submission"
        place.mkdir()
        (place / path.name).symlink_to(path.resolve())
        try:
            board = build_board(alone, bootstrap=bootstrap, manifest_lookup=lambda key: find_manifest(folder, key))
        except OsbenchError as error:
            text = reason(error).replace(f"{alone}/", "").replace(f"submission/{path.name}", "the submission")
            return Verdict(False, (Problem("not-scorable", text, "Mend the runs, and submit them again."),), {})
    names = shown_metrics(board)
    metrics = {
        entry.rule: {
            name: {
                key: value for key, value in to_json(entry.metrics[name]).items() if key in ("estimate", "low", "high")
            }
            for name in names
        }
        for entry in board.entries
    }
    return Verdict(True, (), metrics)
