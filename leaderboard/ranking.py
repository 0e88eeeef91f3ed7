"""Ranks that admit ties.

An entry's rank is one plus the number of entries whose whole interval lies above its own (the rule of the Chatbot Arena
board), but never better than that of an entry with a larger value: intervals differ in width, and a board on which
ranks and values run in different directions helps nobody. The range says which ranks the intervals allow. An entry
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


def order(estimates: Sequence[Estimate], names: Sequence[str]) -> list[int]:
    """Positions of the estimates from best to worst: by value, then upper bound, then name; those without a value last.

    Of two equal values the one that reaches higher comes first: fewer intervals can lie wholly above it.
    """

    def key(position: int) -> tuple[bool, float, float, str]:
        estimate = estimates[position]
        if estimate.mean is None or not estimate.valid:
            return True, 0.0, 0.0, names[position]
        return False, -estimate.mean, -estimate.bounds[1], names[position]

    return sorted(range(len(estimates)), key=key)


def rank(estimates: Sequence[Estimate]) -> list[Rank]:
    """The rank of each estimate, higher being better, in the order given."""
    valid = [e.bounds for e in estimates if e.valid]
    ranks = [UNRANKED] * len(estimates)
    shown = 1
    for position in order(estimates, [""] * len(estimates)):
        if not estimates[position].valid:
            continue
        own_low, own_high = estimates[position].bounds
        low = 1 + sum(other_low > own_high for other_low, _ in valid)
        high = len(valid) - sum(other_high < own_low for _, other_high in valid)
        shown = max(shown, low)
        ranks[position] = Rank(shown, low, max(high, shown))
    return ranks


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
