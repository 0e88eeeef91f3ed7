"""Does a board separate its methods? A suite on which all do equally well, or all perfectly, ranks nothing."""

from __future__ import annotations

import math

from .board import Board

#: The best and the worst method must differ by so much in the primary metric, and the best stay below the ceiling.
LEAST_DIFFERENCE, CEILING = 0.05, 0.98


def separation_text(board: Board) -> str:
    """One line on a board: whether it is saturated, or at one level.

    A method counts by its best entry: its other rejection rules and settings would make any board look wide. All
    methods of a board are fitted to the seen generators, so all count; floors and placeholders are no methods.
    """
    best: dict[str, float] = {}
    names: dict[str, str] = {}
    for entry in board.entries:
        value = entry.metrics[board.primary].estimate
        if math.isfinite(value) and entry.card.competes and value >= best.get(entry.method, value):
            best[entry.method], names[entry.method] = value, entry.name
    if len(best) < 2:
        return f"separation: {len(best)} ranked method{'' if len(best) == 1 else 's'}, nothing to compare."
    first, last = max(best, key=best.__getitem__), min(best, key=best.__getitem__)
    faults = []
    if not best[first] < CEILING:
        faults.append(f"saturated (the best is not below {CEILING})")
    if best[first] - best[last] < LEAST_DIFFERENCE:
        faults.append(f"not separated (less than {LEAST_DIFFERENCE} apart)")
    verdict = " and ".join(faults) or "not saturated, and separated"
    ends = [f"{best[one]:.3f} ({names[one]})" for one in (first, last)]
    return f"separation: {board.primary} {' to '.join(ends)}: {verdict}."
