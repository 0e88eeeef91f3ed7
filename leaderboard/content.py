"""What an entry loses on content that no image of its training had, under protocols that hold a training set out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..benchmark.content import content_rows
from ..benchmark.manifest import Manifest
from .entry import ScoredRun


def entry_content(runs: Sequence[ScoredRun], manifest: Manifest) -> list[dict[str, Any]]:
    """The rows of :func:`~osbench.benchmark.content.content_rows`: means over seeds, each at its own threshold.

    Empty unless the manifest holds a training set out.
    """
    seeds = [content_rows(r.validation, r.test, manifest, r.threshold) for r in runs]
    return [
        rows[0] | {name: _mean([row[name] for row in rows]) for name in ("accuracy", "rejected")}
        for rows in zip(*seeds, strict=True)
    ]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
