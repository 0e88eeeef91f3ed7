"""Several methods on the same test images: every pair compared, corrected for their number, ties named."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .metrics import PRIMARY, Difference, null_for_nan
from .metrics.paired import Side, difference_of
from .metrics.summary import metric


@dataclass(frozen=True)
class Contender:
    """A method as one side of every pair.

    Attributes
    ----------
    name : str
        Different from all others.
    side : Side
        Its metric; all contenders met the same resamples of the same images.
    fit : str
        Names the trained networks: contenders of one fit (its rejection rules) are compared seed by seed. Empty = a fit
        of its own.
    """

    name: str
    side: Side
    fit: str = ""

    def shares_fits(self, other: Contender) -> bool:
        """Whether seed k of both is the same trained network."""
        return bool(self.fit) and self.fit == other.fit and len(self.side.each) == len(other.side.each)


@dataclass(frozen=True)
class Pair:
    """`first` minus `second`, with the p-value corrected by Holm over all the pairs of the comparison.

    `different` means that the corrected p-value is at most 1 - level.
    """

    first: str
    second: str
    difference: Difference
    adjusted_p: float
    different: bool


@dataclass(frozen=True)
class Comparison:
    """All pairs of some contenders by one metric.

    Attributes
    ----------
    estimates : dict[str, float]
        Contender -> mean of the metric over its seeds, best first; undefined ones last.
    pairs : list[Pair]
        Every pair once, the better contender first.
    """

    metric: str
    level: float
    estimates: dict[str, float]
    pairs: list[Pair]

    @property
    def ties(self) -> list[list[str]]:
        """The largest sets of contenders of which no two are different, in the order of their best member.

        A contender may be in several: being tied with both neighbours does not tie the neighbours.
        """
        return tie_groups(list(self.estimates), [(p.first, p.second) for p in self.pairs if p.different])

    def to_json(self) -> dict[str, Any]:
        """For a JSON document; NaN and infinity become None."""
        pairs = [
            {"first": p.first, "second": p.second, "adjusted_p": p.adjusted_p, "different": p.different}
            | p.difference.to_json()
            for p in self.pairs
        ]
        head = {"metric": self.metric, "level": self.level, "estimates": self.estimates}
        return null_for_nan(head | {"pairs": pairs, "ties": self.ties})


def compare(contenders: Sequence[Contender], metric_name: str = PRIMARY, *, level: float = 0.95) -> Comparison:
    """Compare every pair by `metrics.paired_difference`.

    With probability ``level`` no two equally good contenders are called different (Holm).

    Raises
    ------
    UsageError
        Unknown metric.
    ValueError
        No contender, or two of one name.
    """
    by_name = {c.name: c for c in contenders}
    if not by_name or len(by_name) < len(contenders):
        raise ValueError(f"a comparison needs contenders of different names, not {[c.name for c in contenders]}.")
    estimates = {c.name: c.side.estimate for c in contenders}
    sign = 1 if metric(metric_name).lower_is_better else -1
    best_first = sorted(by_name, key=lambda n: (math.isnan(estimates[n]), sign * estimates[n], n))
    couples = [(by_name[a], by_name[b]) for a, b in itertools.combinations(best_first, 2)]
    differences = [
        difference_of(a.side, b.side, metric_name, level=level, same_fits=a.shares_fits(b)) for a, b in couples
    ]
    adjusted = holm([d.p_value for d in differences])
    pairs = [
        Pair(a.name, b.name, d, p, bool(p <= 1 - level))
        for (a, b), d, p in zip(couples, differences, adjusted, strict=True)
    ]
    return Comparison(metric_name, level, {name: estimates[name] for name in best_first}, pairs)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): the k-th smallest of m times m - k + 1, never falling, at most 1.

    A NaN (an undefined comparison) stays NaN and still counts among the m.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values)  # NaN last
    scaled = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()


def tie_groups(names: Sequence[str], different: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The largest sets of `names` without a different pair, by insertion and absorption (Piepho, 2004)."""
    groups = [frozenset(names)]
    for a, b in different:
        split = [part for g in groups for part in ((g - {a}, g - {b}) if a in g and b in g else (g,))]
        groups = [g for g in dict.fromkeys(split) if not any(g < other for other in split)]
    position = {name: i for i, name in enumerate(names)}
    return sorted((sorted(g, key=position.__getitem__) for g in groups), key=lambda g: [position[n] for n in g])
