"""Which entries of a board have a rank, and which.

Every fit is ranked by one of its rejection rules (:mod:`..benchmark.primary_rule`), so that nobody is compared with a
dozen readings of one network. A rank needs :data:`LEAST_TRAININGS` trainings: seeds that answer alike are one training,
and one training is enough only of a method that draws nothing and says so on its card. Floors and placeholders have no
rank. All other entries are shown in the order of their values, with the reason. Those that are ranked are compared in
all pairs at one error rate (:mod:`..benchmark.metrics.max_t`), by the primary metric and, where they were asked about
the same laundered images, by what is left of them (:mod:`..benchmark.robustness.laundering_score`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..benchmark.metrics import METRICS
from ..benchmark.metrics.best import probability_best
from ..benchmark.metrics.intervals import Interval
from ..benchmark.metrics.max_t import max_t
from ..benchmark.metrics.paired import Side
from ..benchmark.primary_rule import primary_rule
from .entry import Entry, Laundering, Sides
from .ranking import Rank, order, rank

LEAST_TRAININGS = 3

LEVEL = 0.95
"""With this probability no two equally good entries of a board are ranked apart."""

Scored = tuple[Entry, Sides, str]
"""An entry, itself as one side of every pair, and the name of its fit."""


def placed(scored: Sequence[Scored], primary: str) -> list[Entry]:
    """The entries in the order of the board, with ranks or the reason why not.

    Parameters
    ----------
    scored : sequence of Scored
        Entries of one fit in the method's own order of rules. The scores that rank are better when higher.
    primary : str
        The metric that ranks.
    """
    leading = _leading_rules(scored)
    entries = [
        replace(entry, primary_rule=entry.rule == leading[fit], unranked=_reason(entry, leading[fit], primary))
        for entry, _, fit in scored
    ]
    sides = [own for _, own, _ in scored]
    ranked = [i for i, entry in enumerate(entries) if not entry.unranked]
    places = _places([entries[i].metrics[primary] for i in ranked], [sides[i].primary for i in ranked])
    best = probability_best([sides[i].primary for i in ranked])
    for i, place, share in zip(ranked, places, best.tolist(), strict=True):
        entries[i] = replace(
            entries[i],
            rank=place.rank,
            rank_low=place.low,
            rank_high=place.high,
            probability_best=share if math.isfinite(share) else None,
        )
    entries = _placed_under_laundering(entries, sides)
    positions = order([entry.metrics[primary] for entry in entries], [entry.id for entry in entries])
    return [entries[i] for i in positions]


def _placed_under_laundering(entries: Sequence[Entry], sides: Sequence[Sides]) -> list[Entry]:
    """The entries with their ranks by what laundering leaves of them: those that met the same treatments."""
    met = [frozenset(entry.laundering.cells) for entry in entries if entry.laundering]
    usual = max(
        met, key=lambda cells: (met.count(cells), len(cells), sorted(cell.name for cell in cells)), default=None
    )
    found: list[tuple[int, Laundering, Side]] = []
    placed = list(entries)
    for i, (entry, own) in enumerate(zip(entries, sides, strict=True)):
        if entry.laundering is None or own.laundering is None:
            continue
        other = "" if frozenset(entry.laundering.cells) == usual else "asked about other treatments than most entries"
        laundering = replace(entry.laundering, unranked=entry.unranked or other)
        placed[i] = replace(entry, laundering=laundering)
        if not laundering.unranked:
            found.append((i, laundering, own.laundering))
    places = _places([laundering.score for _, laundering, _ in found], [side for _, _, side in found])
    for (i, laundering, _), place in zip(found, places, strict=True):
        laundering = replace(laundering, rank=place.rank, rank_low=place.low, rank_high=place.high)
        placed[i] = replace(placed[i], laundering=laundering)
    return placed


def _places(intervals: Sequence[Interval], sides: Sequence[Side]) -> list[Rank]:
    """The ranks of entries that are compared in all pairs."""
    estimates = np.array([side.estimate for side in sides])
    return rank(intervals, (max_t(sides) <= 1 - LEVEL) & (estimates[:, None] > estimates))


def _leading_rules(scored: Sequence[Scored]) -> dict[str, str]:
    """Fit -> the rule that it is ranked by."""
    fits: dict[str, list[Entry]] = {}
    for entry, _, fit in scored:
        fits.setdefault(fit, []).append(entry)
    return {fit: primary_rule({entry.rule: entry.separation for entry in found}) for fit, found in fits.items()}


def _reason(entry: Entry, leading: str, primary: str) -> str:
    """Why an entry has no rank; empty if it has."""
    if entry.card.kind == "floor":
        return "a floor: what a method should not fall below"
    if not entry.card.competes:
        return f"a placeholder, no reproduction: {entry.card.differs}".removesuffix(": ")
    if entry.rule != leading:
        return f"its fit is ranked by {leading}"
    if not math.isfinite(entry.metrics[primary].estimate):
        return f"its {METRICS[primary].title} is undefined"
    if entry.trainings >= LEAST_TRAININGS or (entry.card.deterministic and entry.trainings == 1):
        return ""
    said = "one training" if entry.trainings == 1 else f"{entry.trainings} trainings"
    alike = f", {len(entry.seeds)} seeds of the same answers" if len(entry.seeds) > entry.trainings else ""
    return f"{said}{alike}: a rank needs {LEAST_TRAININGS}"


def ranks_note(entries: Sequence[Entry]) -> str:
    """One line for a board on which nobody has a rank; empty for any other."""
    if any(entry.rank is not None for entry in entries):
        return ""
    leading = [entry.trainings for entry in entries if entry.primary_rule and entry.card.competes]
    said = "One training each" if set(leading) == {1} else f"Fewer than {LEAST_TRAININGS} trainings each"
    return f"{said}: order shown, no ranks."
