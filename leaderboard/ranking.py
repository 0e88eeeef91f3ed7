"""Ranks that admit ties.

An entry's rank is one plus the number of entries whose whole interval lies above its own (the rule of the Chatbot Arena
board). Entries whose intervals overlap share a rank, and the range says which ranks the intervals allow. An entry
whose value is missing is never ranked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; NaN or None where it is not defined."""

    mean: float | None
    low: float | None
    high: float | None

    @property
    def valid(self) -> bool:
        """Whether there is a finite value to rank by."""
        return _finite(self.mean)

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval; the value itself where no interval is defined. Only for valid estimates."""
        assert self.mean is not None
        low = self.low if self.low is not None and _finite(self.low) else self.mean
        high = self.high if self.high is not None and _finite(self.high) else self.mean
        return low, high


@dataclass(frozen=True)
class Rank:
    """``rank`` is shown; ``low`` to ``high`` are the ranks that the intervals allow. All None if not ranked."""

    rank: int | None
    low: int | None
    high: int | None


UNRANKED = Rank(None, None, None)


def rank(estimates: Sequence[Estimate]) -> list[Rank]:
    """The rank of each estimate, higher being better, in the order given."""
    bounds = [e.bounds if e.valid else None for e in estimates]
    valid = [b for b in bounds if b is not None]
    ranks = []
    for own in bounds:
        if own is None:
            ranks.append(UNRANKED)
            continue
        above = sum(low > own[1] for low, _ in valid)
        below = sum(high < own[0] for _, high in valid)
        ranks.append(Rank(1 + above, 1 + above, len(valid) - below))
    return ranks


def order(estimates: Sequence[Estimate], names: Sequence[str]) -> list[int]:
    """Positions of the estimates from best to worst: by rank, then value, then name; those without a value last."""
    ranks = rank(estimates)

    def key(position: int) -> tuple[bool, int, float, str]:
        estimate, own = estimates[position], ranks[position].rank
        if own is None or estimate.mean is None:
            return True, 0, 0.0, names[position]
        return False, own, -estimate.mean, names[position]

    return sorted(range(len(estimates)), key=key)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
