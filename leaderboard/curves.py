"""What the page draws for an entry: its aF1-CRR curve and the distances of every source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..benchmark.manifest import Manifest
from ..benchmark.metrics import Outcome, af1_crr_curve
from .entry import ScoredRun

GRID = np.linspace(0.0, 1.0, 101)
MIN_BINS, MAX_BINS = 16, 48


def entry_curve(runs: Sequence[ScoredRun]) -> dict[str, list[float]]:
    """aF1 over CRR, the mean over seeds on a grid of 101 CRR values, then the point (1, 0) that rejects everything.

    Where one CRR belongs to several thresholds the best aF1 is drawn. With several seeds ``low`` and ``high`` are the
    smallest and largest seed. The exact area is the metric ``auc_af1_crr``, not the area under this drawing.
    """
    values = np.array([_on_grid(r.test) for r in runs])
    curve = {"crr": [*GRID.tolist(), 1.0], "af1": _closed(values.mean(axis=0))}
    if len(runs) > 1:
        curve |= {"low": _closed(values.min(axis=0)), "high": _closed(values.max(axis=0))}
    return curve


def _on_grid(test: Outcome) -> np.ndarray:
    _, crr, af1 = af1_crr_curve(test)
    levels, first = np.unique(crr, return_index=True)
    return np.interp(GRID, levels, np.maximum.reduceat(af1, first))


def _closed(values: np.ndarray) -> list[float]:
    return [*np.round(values, 5).tolist(), 0.0]


def is_normalised_distance(method: str, rejection: str) -> bool:
    """Whether the known score of a rule is the negative normalised distance of paper 1 (eq. 6)."""
    return rejection == "centroid-sigma" or (method, rejection) == ("proposed", "native")


def entry_histogram(scored: ScoredRun, manifest: Manifest) -> dict[str, Any] | None:
    """How far the test images of every source lie from the class they were given (paper 1, Fig. 1), for one seed.

    The axis is -known_score, so for the rules of :func:`is_normalised_distance` it is d / sigma. Keys: ``edges``
    of the bins, ``groups`` (one per source, seen first: ``generator``, ``openness``, ``counts``, ``accepted`` share),
    ``threshold`` on the same axis, ``seed``, ``is_distance``. The last bin also counts what lies beyond it. None if all
    images have the same known score.
    """
    test, distance = scored.test, -scored.test.known_score
    is_distance = is_normalised_distance(scored.run.method, scored.run.rejection)
    low = 0.0 if is_distance else float(distance.min())
    high = max(float(np.quantile(distance, 0.985)), -scored.threshold + 0.1 * abs(-scored.threshold - low))
    if distance.min() == distance.max() or high <= low:
        return None
    generators = [*manifest.seen, *manifest.unseen]
    bins = int(np.clip(len(test) / len(generators) / 2.5, MIN_BINS, MAX_BINS))
    edges = np.linspace(low, high, bins + 1)
    source = np.where(test.truth >= 0, test.truth, test.n_classes + test.unseen_group)
    groups = []
    for i, generator in enumerate(generators):
        own = distance[source == i]
        groups.append(
            {
                "generator": generator,
                "openness": "seen" if i < test.n_classes else "unseen",
                "counts": np.histogram(np.clip(own, low, high), edges)[0].tolist(),
                "accepted": float(np.mean(-own >= scored.threshold)),
            }
        )
    return {
        "edges": np.round(edges, 6).tolist(),
        "groups": groups,
        "threshold": -scored.threshold,
        "seed": scored.run.seed,
        "is_distance": is_distance,
    }
