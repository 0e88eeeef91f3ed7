"""Submit a run: its ``run.json`` and ``predictions.parquet``, checked, under a path that is named by their content.

::

    submissions/<method>/<sha256 of run.json followed by predictions.parquet>/run.json
                                                                              predictions.parquet

The same run therefore always has the same place, and submitting it again changes nothing. Numbers are never
submitted: a board computes them from the predictions.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from pathlib import Path

from ..benchmark.manifest import Manifest
from ..benchmark.runs import PREDICTIONS_FILE, RUN_FILE, Run
from ..core.errors import OsbenchError, RunError
from .targets import Submission, open_target

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def submit(run_folder: Path, target: str) -> dict[str, str]:
    """Check the run and hand it to the target, a folder or ``hf://datasets/ORG/NAME``.

    Returns ``{"status": "submitted" or "already submitted", "location"}``, the location being a folder, a pull request
    or a page of the repository. RunError if the run is damaged or the target refuses; UsageError for a target of no
    known kind. Nothing is written unless everything is in order.
    """
    submission = prepare(run_folder)
    return asdict(open_target(target).submit(submission))


def prepare(run_folder: Path) -> Submission:
    """Read and check a run folder; RunError in one line if anything about it is wrong."""
    run = Run.open(run_folder)
    if not _SAFE_NAME.fullmatch(run.method):
        raise RunError(f"{run_folder}: method name '{run.method:.70}' cannot name a folder; use letters, digits, . _ -")
    run.predictions(_manifest_beside(run))
    files = {name: (run_folder / name).read_bytes() for name in (RUN_FILE, PREDICTIONS_FILE)}
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()
    title = f"{run.method}, {run.rejection:.40}, seed {run.seed}, manifest {run.manifest_id:.12}"
    return Submission(f"submissions/{run.method}/{digest}", digest, title, files)


def _manifest_beside(run: Run) -> Manifest | None:
    """The manifest that lies with the runs, so that ids can be checked; a run that was moved alone has none."""
    try:
        return run.manifest()
    except (OsbenchError, IndexError):
        return None
