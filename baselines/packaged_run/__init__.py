"""A small fitted run that comes with the package, so that ``osbench attribute`` works after the installation alone.

``python -m osbench.baselines.packaged_run`` makes it anew. What it knows, and how often it errs, is its scope
(:mod:`osbench.benchmark.scope`); it stands with every answer.
"""

from __future__ import annotations

from pathlib import Path

from ...benchmark.runs import Run, only_run

FOLDER = Path(__file__).resolve().parent / "run"


def packaged_run() -> Run:
    """The run, with its model; RunError where it was left out of the installation."""
    return only_run(FOLDER)
