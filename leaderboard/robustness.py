"""What laundering does to an entry: its metrics under every treatment that all of its seeds were asked about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..benchmark.manifest import Manifest
from ..benchmark.metrics import null_for_nan
from ..benchmark.robustness import SURFACE_METRICS, surface, surface_document
from ..core.errors import RunError
from ..core.progress import get_logger
from .entry import ScoredRun


def entry_surface(runs: Sequence[ScoredRun], manifest: Manifest) -> list[dict[str, Any]]:
    """One row per cell, clean first: its ``quality``, ``phase``, ``resize`` and ``blur``, then the means over seeds of
    :data:`SURFACE_METRICS`, each seed at the threshold of its clean validation images.

    Empty if a seed was never laundered. Damaged answers cost the entry its surface, not its place: they are logged.
    """
    try:
        found = [surface(scored.run, manifest, scored.threshold) for scored in runs]
    except RunError as error:
        get_logger().warning("no robustness surface: %s", error)
        return []
    shared = [cell for cell in found[0] if all(cell in other for other in found)]
    if any(len(other) > len(shared) for other in found):
        first = runs[0].run
        get_logger().warning(
            "%s / %s: %d laundered cells are shared by all %d seeds, others are not shown: launder every seed alike.",
            first.method,
            first.rejection,
            len(shared),
            len(runs),
        )
    return null_for_nan(surface_document({cell: _means([seed[cell] for seed in found]) for cell in shared}))


def _means(seeds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([numbers[name] for numbers in seeds])) for name in SURFACE_METRICS}
