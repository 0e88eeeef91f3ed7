"""Intervals of an audit: images that belong together are drawn together, and alike in every fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..manifest import Manifest
from ..manifest_columns import cells
from ..metrics import METRICS, Interval, Outcome
from ..metrics.intervals import percentiles
from ..metrics.tally import Tally

REPLICATES = 500
_STEP = 16


def fold_intervals(
    outcomes: Sequence[Outcome], manifests: Sequence[Manifest], names: Sequence[str], seed: int = 0
) -> dict[str, Interval]:
    """Means over folds with 95 % percentile intervals of a bootstrap over groups of test images.

    Several sources that show one picture are no independent images, and folds share them; so groups are drawn, once for
    all folds, within the set of generators that they have images of. An image without a group is one of its own.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Test answers, one for each fold.
    manifests : sequence of Manifest
        The folds.
    names : sequence of str
        Metrics that need no threshold.
    seed : int
        Of the drawing.
    """
    weights = _weights(manifests, seed)
    found: dict[str, Interval] = {}
    for name in names:
        kernel = METRICS[name].kernel
        plain = [float(kernel(Tally(outcome, None))[0]) for outcome in outcomes]
        values = [
            np.concatenate([kernel(Tally(o, None, drawn[i : i + _STEP])) for i in range(0, REPLICATES, _STEP)])
            for o, drawn in zip(outcomes, weights, strict=True)
        ]
        found[name] = percentiles(float(np.mean(plain)), np.mean(values, axis=0), 0.95, "images", seed)
    return found


def _weights(manifests: Sequence[Manifest], seed: int) -> list[np.ndarray]:
    """How often each test image is drawn, uint16 (replicates, N), for each fold."""
    groups: list[np.ndarray] = []
    makers: list[np.ndarray] = []
    for manifest in manifests:
        rows = manifest.rows("test")
        group = cells(rows, "group")
        ids = np.char.add("image ", np.asarray(rows["image_id"], str))
        groups.append(np.where(group != "", np.char.add("group ", group), ids))
        makers.append(np.asarray(rows["generator"], str))
    of: dict[str, set[str]] = {}
    for name, maker in zip(np.concatenate(groups).tolist(), np.concatenate(makers).tolist(), strict=True):
        of.setdefault(name, set()).add(maker)
    strata: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(of):
        strata.setdefault(tuple(sorted(of[name])), []).append(name)
    rng = np.random.default_rng(seed)
    drawn = {
        name: counts
        for _, members in sorted(strata.items())
        for name, counts in zip(members, _counts(len(members), rng).T, strict=True)
    }
    return [np.stack([drawn[name] for name in names.tolist()], axis=1) for names in groups]


def _counts(members: int, rng: np.random.Generator) -> np.ndarray:
    """uint16 (replicates, members): how often each was drawn in as many draws with replacement."""
    draws = rng.integers(0, members, size=(REPLICATES, members)) + np.arange(REPLICATES)[:, None] * members
    return np.bincount(draws.ravel(), minlength=REPLICATES * members).reshape(REPLICATES, members).astype(np.uint16)
