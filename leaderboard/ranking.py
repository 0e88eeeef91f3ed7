"""Ranks with ties.

An entry's rank is one plus the number of entries that surely lie above it, but never better than that of an entry with
a larger value: differences vary in precision, and a board on which ranks and values run in different directions helps
nobody. The range says which ranks the sure differences leave possible. An entry whose value is missing is never ranked.
Who takes part, and what is sure: :mod:`.placing`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..benchmark.metrics.intervals import Interval


@dataclass(frozen=True)
class Rank:
    """``rank`` is shown; ``low`` to ``high`` are the ranks that are possible. All None if not ranked."""

    rank: int | None
    low: int | None
    high: int | None


UNRANKED = Rank(None, None, None)


def order(estimates: Sequence[Interval], names: Sequence[str]) -> list[int]:
    """Positions of the estimates from best to worst: by value, then upper bound, then name; those without a value last.

    Of two equal values the one that reaches higher comes first.
    """

    def key(position: int) -> tuple[bool, float, float, str]:
        found = estimates[position]
        if not math.isfinite(found.estimate):
            return True, 0.0, 0.0, names[position]
        reach = found.high if math.isfinite(found.high) else found.estimate
        return False, -found.estimate, -reach, names[position]

    return sorted(range(len(estimates)), key=key)


def rank(estimates: Sequence[Interval], above: NDArray[np.bool_]) -> list[Rank]:
    """The rank of each estimate, higher being better, in the order given; ``above``: (n, n), i surely above j."""
    valid = sum(math.isfinite(found.estimate) for found in estimates)
    ranks = [UNRANKED] * len(estimates)
    shown = 1
    for position in order(estimates, [""] * len(estimates)):
        if not math.isfinite(estimates[position].estimate):
            continue
        low = 1 + int(above[:, position].sum())
        high = valid - int(above[position].sum())
        shown = max(shown, low)
        ranks[position] = Rank(shown, low, max(high, shown))
    return ranks
