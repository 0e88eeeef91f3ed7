"""The measurement for people: two tables, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...core.markdown import markdown_table
from .result import Enrolled, NewSources, Part

_REPLICATES = 2000


_ENROLL = (
    "Before a source joins, nothing is attributed to it. *accuracy*: its other images that are accepted and attributed "
    "to it. *aF1 of the others*: mean F1 of the generators that were known before, on the same images. *taken*: images "
    "of the other unseen generators that are attributed to the new source."
)
_DISCOVER = "*right number*: as many groups as there are unseen generators among the rejected images."


def new_sources_markdown(found: NewSources) -> str:
    """What enrolling and discovering are worth, as Markdown."""
    folds, seeds = {part.fold for part in found.parts}, {part.seed for part in found.parts}
    unseen = {name for part in found.parts for name in part.unseen}
    setting = (
        f"{found.method}, rule {found.rule}, threshold {found.threshold_rule}; {len(folds)} folds of {found.protocol}, "
        f"{len(seeds)} seeds; each of {len(unseen)} generators joined whenever it was unseen. With 95 % intervals, for "
        "which the generators that join, or the folds, are resampled."
    )
    parts = [
        f"## New sources, on the suite {found.suite} ({found.suite_version}, crops of {found.crop_size} px)",
        setting,
        "### enroll: a source joins from a few images",
        _enrolled_table(found.parts),
        _ENROLL,
        "### discover: rejected images in groups",
        _discovered_table(found.parts),
        _DISCOVER,
        f"osbench {found.osbench}, code {found.code_sha256[:8]}.",
    ]
    return "\n\n".join(parts)


def _enrolled_table(parts: Sequence[Part]) -> str:
    rows = [one for part in parts for one in part.enrolled]
    counts = sorted({one.shots for one in rows})
    table: list[list[str]] = []
    for count in counts:
        own = [one for one in rows if one.shots == count]
        names = [one.generator for one in own]
        columns: list[Callable[[Enrolled], float]] = [
            lambda one: one.accuracy,
            lambda one: one.named,
            lambda one: one.af1_before,
            lambda one: one.af1_after - one.af1_before,
            lambda one: one.taken,
        ]
        cells = [_cell([column(one) for one in own], names, signed=i == 3) for i, column in enumerate(columns)]
        table.append([str(count), *cells])
    return markdown_table(
        ["images", "accuracy", "if all were accepted", "aF1 of the others before", "its change", "taken"], table
    )


def _discovered_table(parts: Sequence[Part]) -> str:
    grouped = [part for part in parts if part.discovered.found]
    folds = [part.fold for part in grouped]
    numbers = [part.discovered for part in grouped]
    right = [float(one.found == one.sources) for one in numbers]
    row = [
        _cell([part.rejected for part in parts], [part.fold for part in parts]),
        _cell([float(one.images) for one in numbers], folds, digits=0),
        _cell([one.nmi for one in numbers], folds),
        _cell([one.purity for one in numbers], folds),
        _cell([float(one.found) for one in numbers], folds, digits=2),
        _cell(right, folds),
    ]
    header = ["rejected", "images grouped", "NMI", "purity", "groups found", "right number"]
    counts = np.bincount([one.found for one in numbers])
    tally = ", ".join(f"{count} x {number}" for number, count in enumerate(counts) if count)
    return markdown_table(header, [row]) + f"\n\nGroups found (fits x groups): {tally}."


def _cell(values: Sequence[float], clusters: Sequence[str], *, digits: int = 3, signed: bool = False) -> str:
    """Mean with a 95 % interval; whole clusters are resampled, because their values are alike."""
    if not values:
        return "-"
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums, counts = np.bincount(index, weights=np.asarray(values)), np.bincount(index)
    drawn = np.random.default_rng(0).integers(len(names), size=(_REPLICATES, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    form = f"{'+' if signed else ''}.{digits}f"
    return f"{np.mean(values):{form}} ({low:{form}} to {high:{form}})"
