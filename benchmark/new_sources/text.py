"""The measurement for people: two tables, with intervals."""

from __future__ import annotations

import math

from ...core.markdown import markdown_table
from .result import Grouped, Joined, Mean, NewSources

_ENROLL = (
    "Before a source joins, nothing is attributed to it. *accuracy*: its other images that are accepted and attributed "
    "to it. *aF1 of the others*: mean F1 of the generators that were known before, on the same images. *taken*: images "
    "of the other unseen generators that are attributed to the new source."
)
_DISCOVER = "*right number*: as many groups as there are unseen generators among the rejected images."


def new_sources_markdown(found: NewSources) -> str:
    """What enrolling and discovering are worth, as Markdown."""
    name = f"{found.method} ({found.settings})" if found.settings else found.method
    setting = (
        f"{name}, rule {found.rule}, threshold {found.threshold_rule}; {found.folds} folds of {found.protocol}, "
        f"{found.seeds} seeds; each of {found.generators} generators joined whenever it was unseen. With 95 % "
        "intervals: the generators that join, or the folds, are resampled."
    )
    parts = [
        f"## New sources, {name} on the suite {found.suite} ({found.suite_version}, {found.crop_size} px)",
        setting,
        "### enroll: a source joins from a few images",
        markdown_table(
            ["images", "accuracy", "if all were accepted", "aF1 of the others before", "its change", "taken"],
            [_joined_cells(one) for one in found.joined],
        ),
        _ENROLL,
        "### discover: rejected images in groups",
        markdown_table(
            ["rejected", "images grouped", "NMI", "purity", "groups found", "right number"],
            [_grouped_cells(found.grouped)],
        ),
        _DISCOVER,
        f"Fits by groups found: {', '.join(f'{count}: {fits}' for count, fits in found.grouped.tally.items())}.",
        f"osbench {found.osbench}, code {found.code_sha256[:8]}.",
    ]
    return "\n\n".join(parts) + "\n"


def _joined_cells(one: Joined) -> list[str]:
    means = [_cell(mean) for mean in (one.accuracy, one.named, one.af1_before)]
    return [str(one.shots), *means, _cell(one.change, sign="+"), _cell(one.taken)]


def _grouped_cells(one: Grouped) -> list[str]:
    shares = [_cell(mean) for mean in (one.nmi, one.purity)]
    return [_cell(one.rejected), _cell(one.images, 0), *shares, _cell(one.found, 2), _cell(one.right)]


def _cell(mean: Mean, digits: int = 3, sign: str = "") -> str:
    if math.isnan(mean.estimate):
        return "-"
    form = f"{sign}.{digits}f"
    return f"{mean.estimate:{form}} ({mean.low:{form}} to {mean.high:{form}})"
