"""Means over fits, with intervals for which whole generators or folds are resampled: their values are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .result import Discovered, Enrolled, Grouped, Joined, Mean, Part

_REPLICATES = 2000


def joined_means(parts: Sequence[Part]) -> tuple[Joined, ...]:
    """One row for each number of shots; the generators that join are resampled."""
    rows = [one for part in parts for one in part.enrolled]
    return tuple(
        _joined(shots, [one for one in rows if one.shots == shots]) for shots in sorted({r.shots for r in rows})
    )


def grouped_means(parts: Sequence[Part]) -> Grouped:
    """The rejected images of all fits; the folds are resampled."""
    grouped = [part for part in parts if part.discovered.found]
    folds = [part.fold for part in grouped]
    numbers: list[Discovered] = [part.discovered for part in grouped]
    return Grouped(
        rejected=mean_of([part.rejected for part in parts], [part.fold for part in parts]),
        images=mean_of([one.images for one in numbers], folds),
        nmi=mean_of([one.nmi for one in numbers], folds),
        purity=mean_of([one.purity for one in numbers], folds),
        found=mean_of([one.found for one in numbers], folds),
        right=mean_of([one.found == one.sources for one in numbers], folds),
        tally={str(count): fits for count, fits in sorted(Counter(one.found for one in numbers).items())},
    )


def _joined(shots: int, rows: Sequence[Enrolled]) -> Joined:
    names = [one.generator for one in rows]
    return Joined(
        shots=shots,
        accuracy=mean_of([one.accuracy for one in rows], names),
        named=mean_of([one.named for one in rows], names),
        af1_before=mean_of([one.af1_before for one in rows], names),
        change=mean_of([one.af1_after - one.af1_before for one in rows], names),
        taken=mean_of([one.taken for one in rows], names),
    )


def mean_of(values: Sequence[float], clusters: Sequence[str]) -> Mean:
    """Mean of values (n,), with a percentile bootstrap over the clusters that they belong to."""
    if not values:
        return Mean(float("nan"), float("nan"), float("nan"))
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums, counts = np.bincount(index, weights=np.asarray(values, np.float64)), np.bincount(index)
    drawn = np.random.default_rng(0).integers(len(names), size=(_REPLICATES, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    return Mean(round(float(np.mean(values)), 6), round(float(low), 6), round(float(high), 6))
