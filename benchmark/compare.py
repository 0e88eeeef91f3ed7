"""Several methods on the same test images: every pair compared, corrected for their number, ties named."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .metrics import PRIMARY, Difference, Outcome, null_for_nan
from .metrics.paired import difference_of, side_of
from .metrics.summary import metric


@dataclass(frozen=True)
class Contender:
    """A method with its answers: one outcome and one threshold for each training seed.

    The thresholds (from seen validation images) are read by metrics at a threshold; None for the others. fit: names the
    trained networks; contenders of one fit (its rejection rules) are compared seed by seed. Empty = a fit of its own.
    """

    name: str
    outcomes: Sequence[Outcome]
    thresholds: Sequence[float | None]
    fit: str = ""

    def shares_fits(self, other: Contender) -> bool:
        """Whether seed k of both is the same trained network."""
        return bool(self.fit) and self.fit == other.fit and len(self.outcomes) == len(other.outcomes)


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
    estimates: contender -> mean of the metric over its seeds, best first; undefined ones last.
    pairs: every pair once, the better contender first.
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


def compare(
    contenders: Sequence[Contender],
    metric_name: str = PRIMARY,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare every pair by `metrics.paired_difference`; all of them meet the same resamples of the images.

    With probability ``level`` no two equally good contenders are called different (Holm).

    Raises
    ------
    RunError: not the same images. UsageError: unknown metric. ValueError: no contender, or two of one name.
    """
    by_name = {c.name: c for c in contenders}
    if not by_name or len(by_name) < len(contenders):
        raise ValueError(f"a comparison needs contenders of different names, not {[c.name for c in contenders]}.")
    sides = {
        c.name: side_of(c.outcomes, c.thresholds, metric_name, replicates=replicates, seed=seed) for c in contenders
    }
    sign = 1 if metric(metric_name).lower_is_better else -1
    best_first = sorted(by_name, key=lambda n: (math.isnan(sides[n].estimate), sign * sides[n].estimate, n))
    couples = list(itertools.combinations(best_first, 2))
    differences = [
        difference_of(sides[a], sides[b], metric_name, level=level, same_fits=by_name[a].shares_fits(by_name[b]))
        for a, b in couples
    ]
    adjusted = holm([d.p_value for d in differences])
    pairs = [
        Pair(a, b, d, p, bool(p <= 1 - level)) for (a, b), d, p in zip(couples, differences, adjusted, strict=True)
    ]
    return Comparison(metric_name, level, {name: sides[name].estimate for name in best_first}, pairs)


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
