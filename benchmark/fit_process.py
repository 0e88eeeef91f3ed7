"""One fit in a process of its own: what :mod:`.fits` starts as ``python -m osbench.benchmark.fit_process``.

stdin is one line, the :class:`~.fits.Fit` as JSON, and stays open as long as somebody waits for the fit. stdout is
empty, or says why it failed. Everything else goes to stderr: warnings, and what methods print. Exit code 0 or 1.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from pathlib import Path

from ..core.progress import set_quiet
from ..generation.dataset import Dataset
from .evaluate import evaluate
from .failures import describe_failure
from .fits import Fit
from .manifest import read_manifest


def main() -> int:
    """Make the fit that stdin asks for; returns the exit code."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer:
        os.dup2(2, 1)
        fit = Fit(**json.loads(sys.stdin.readline()))
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        set_quiet(True)
        try:
            _make(fit)
        except Exception as error:
            answer.write(describe_failure(error, Path(fit.out), fit.label))
            return 1
    return 0


def _leave_with_parent() -> None:
    os.read(0, 1)  # not through sys.stdin, whose lock a thread must not hold when the interpreter ends
    os._exit(1)


def _make(fit: Fit) -> None:
    if fit.module:
        importlib.import_module(fit.module)
    manifest = read_manifest(Path(fit.manifest))
    evaluate(
        fit.method,
        Dataset.open(fit.data),
        manifest,
        seeds=[fit.seed],
        out=Path(fit.out),
        device=fit.device,
        options=fit.options,
        crop_size=fit.crop_size,
    )


if __name__ == "__main__":
    sys.exit(main())
