"""A failure: one line for the log, and the whole traceback in a file."""

from __future__ import annotations

import contextlib
import gc
import re
import traceback
from pathlib import Path

import torch

from ..core.errors import OsbenchError

FAILURES_FOLDER = "failures"


def describe_failure(error: Exception, runs_dir: Path, name: str) -> str:
    """What went wrong, in one line.

    An error that osbench raised on purpose says so itself. For any other one the line names its kind and the file
    below ``runs_dir`` that now holds its traceback, ``failures/<name>.txt`` without blanks and slashes.
    """
    if isinstance(error, OsbenchError):
        return str(error)
    first = next(iter(str(error).strip().splitlines()), "")
    line = f"{type(error).__name__}: {first}" if first else type(error).__name__
    path = runs_dir / FAILURES_FOLDER / f"{re.sub(r'[^a-zA-Z0-9+._-]+', '-', name)}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), "utf-8")
    except OSError as full:  # a full disk may be what went wrong in the first place
        return f"{line} (its traceback cannot be written: {full})"
    return f"{line} (traceback: {path})"


def free_memory() -> None:
    """Free what a failed method held. Call it outside the ``except`` block: the error keeps its frames alive."""
    gc.collect()
    if torch.cuda.is_initialized():
        with contextlib.suppress(RuntimeError):  # after some errors a GPU answers nothing more to this process
            torch.cuda.empty_cache()
