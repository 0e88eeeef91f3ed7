"""Ranks that admit ties.

An entry's rank is one plus the number of entries that surely lie above it (paired differences, all pairs of the board
at one joint level: :mod:`..benchmark.compare`), but never better than that of an entry with a larger value: differences
vary in precision, and a board on which ranks and values run in different directions helps nobody. The range says which
ranks the sure differences leave possible. An entry whose value is missing is never ranked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    def reach(self) -> float:
        """The upper bound; the value itself where no interval is defined. Only for valid estimates."""
        assert self.mean is not None
        return self.high if self.high is not None and _finite(self.high) else self.mean


@dataclass(frozen=True)
class Rank:
    """``rank`` is shown; ``low`` to ``high`` are the ranks that are possible. All None if not ranked."""

    rank: int | None
    low: int | None
    high: int | None


UNRANKED = Rank(None, None, None)


def order(estimates: Sequence[Estimate], names: Sequence[str]) -> list[int]:
    """Positions of the estimates from best to worst: by value, then upper bound, then name; those without a value last.

    Of two equal values the one that reaches higher comes first.
    """

    def key(position: int) -> tuple[bool, float, float, str]:
        estimate = estimates[position]
        if estimate.mean is None or not estimate.valid:
            return True, 0.0, 0.0, names[position]
        return False, -estimate.mean, -estimate.reach, names[position]

    return sorted(range(len(estimates)), key=key)


def rank(estimates: Sequence[Estimate], above: NDArray[np.bool_]) -> list[Rank]:
    """The rank of each estimate, higher being better, in the order given; ``above``: (n, n), i surely above j."""
    valid = sum(e.valid for e in estimates)
    ranks = [UNRANKED] * len(estimates)
    shown = 1
    for position in order(estimates, [""] * len(estimates)):
        if not estimates[position].valid:
            continue
        low = 1 + int(above[:, position].sum())
        high = valid - int(above[position].sum())
        shown = max(shown, low)
        ranks[position] = Rank(shown, low, max(high, shown))
    return ranks


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
