"""Whether a board has a submission already: the same answers, or the same fit and seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...benchmark.runs import Run
from ...core.errors import OsbenchError
from ..collect import identity
from ..submission import SUBMISSION_FILE, SUBMISSIONS_FOLDER, SubmissionInfo, read_submission_info
from .verdict import ProblemError


def check_twins(folder: Path, info: SubmissionInfo, runs: Sequence[Run], against: Path) -> None:
    """ProblemError if an entry below ``against`` has the answers of one of the runs, or its fit and seed.

    Only documents are read, so that a thousand entries take a second or two. An entry that cannot be read is no twin.
    """
    root = against / SUBMISSIONS_FOLDER if (against / SUBMISSIONS_FOLDER).is_dir() else against
    answers = {run.predictions_sha256 for run in info.runs}
    seeds = {(identity(run), run.manifest_id, run.seed) for run in runs}
    for path in sorted(root.glob(f"[!.]*/[!.]*/{SUBMISSION_FILE}")):
        other = path.parent
        if other.resolve() == folder.resolve():
            continue
        try:
            said = read_submission_info(other)
            if other.name == folder.name:
                raise ProblemError("twin", f"{other.name[:12]} is there already.")
            if answers & {run.predictions_sha256 for run in said.runs}:
                raise ProblemError("twin", f"{other.name[:12]} has the same predictions.")
            if (said.method, said.manifest_id) == (info.method, info.manifest_id):
                for run in (Run.open(other / one.folder) for one in said.runs):
                    if (identity(run), run.manifest_id, run.seed) in seeds:
                        raise ProblemError("twin", f"{other.name[:12]} has the same fit and seed ({run.seed}).")
        except ProblemError:
            raise
        except OsbenchError:
            continue
