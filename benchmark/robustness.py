"""The robustness surface of a run: its metrics under every cell of laundering, at one threshold.

The threshold is the one of the clean seen validation images. A method is not told how an image was treated, so nothing
is chosen again for any cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .laundered import laundered_cells, read_laundered
from .laundering import AXES, Cell, value_text
from .manifest import Manifest
from .metrics import Outcome, af1, auc_af1_crr, closed_set_accuracy, crr
from .runs import Run
from .score import outcome_of_test

SURFACE_METRICS = ("af1", "crr", "auc_af1_crr", "accuracy", "seen_accepted")


def surface(run: Run, manifest: Manifest, threshold: float) -> dict[Cell, dict[str, float]]:
    """Cell -> :data:`SURFACE_METRICS` at the run's clean ``threshold``; empty if the run was never laundered.

    RunError in one line for a damaged file.
    """
    return {
        cell: _numbers(outcome_of_test(read_laundered(run, cell, manifest), manifest), threshold)
        for cell in laundered_cells(run)
    }


def _numbers(test: Outcome, threshold: float) -> dict[str, float]:
    """``seen_accepted``: share of seen test images that are accepted, whoever they are taken for."""
    seen = test.known_score[test.truth >= 0]
    return {
        "af1": af1(test, threshold),
        "crr": crr(test, threshold),
        "auc_af1_crr": auc_af1_crr(test),
        "accuracy": closed_set_accuracy(test),
        "seen_accepted": float(np.mean(seen >= threshold)),
    }


def surface_document(found: dict[Cell, dict[str, float]]) -> list[dict[str, Any]]:
    """A surface as JSON-able rows: the axes of the cell, then its metrics."""
    return [{axis: getattr(cell, axis) for axis in AXES} | numbers for cell, numbers in found.items()]


def surface_table(rows: list[dict[str, Any]]) -> str:
    """Rows of :func:`surface_document` for people."""
    table = pd.DataFrame(
        [
            [value_text(row[axis]) for axis in reversed(AXES)] + [f"{row[name]:.3f}" for name in SURFACE_METRICS]
            for row in rows
        ],
        columns=[*reversed(AXES), *SURFACE_METRICS],
    )
    head = "laundered test images, at the threshold of the clean validation images:"
    return f"{head}\n{table.to_string(index=False)}"
