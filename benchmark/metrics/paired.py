"""Two methods on the same images: their difference, its interval and its p-value.

Three things make a difference uncertain: the images, which both methods share (paired bootstrap), and the training of
either method (over its seeds). Their variances add; few seeds estimate their own deviation badly, so the limits are
Student's with the degrees of freedom of Welch (1947) and Satterthwaite (1946), where the images count as many. A method
with one seed adds nothing: such a difference is one between trained networks, not between ways of training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit  # pyright: ignore[reportMissingTypeStubs]

from .intervals import Thresholds, as_lists, check_level, resamples_of
from .outcome import FloatArray, Outcome
from .resampling import Replicates, replicate
from .summary import PER_GENERATOR, PRIMARY, metric, null_for_nan

_MANY = 1e9  # degrees of freedom at which Student's t is the normal distribution


@dataclass(frozen=True)
class Difference:
    """Metric of A minus metric of B on the same images, means over their training seeds.

    Attributes
    ----------
    low, high : float
        Bounds at ``level``; NaN where undefined.
    p_value : float
        Two-sided, of no difference. NaN where undefined.
    freedom : float
        Degrees of freedom; infinite where seeds play no part.
    """

    metric: str
    difference: float
    low: float
    high: float
    level: float
    p_value: float
    freedom: float

    def to_json(self) -> dict[str, Any]:
        """The fields; NaN and infinity become None."""
        return null_for_nan(asdict(self))


@dataclass(frozen=True)
class Side:
    """One method of a comparison by one metric.

    Attributes
    ----------
    each : FloatArray
        Shape (seeds,), the metric of each training seed.
    values : FloatArray
        Shape (R,), the mean over the seeds on each resample of the images. All sides of a comparison meet the same
        resamples.
    """

    each: FloatArray
    values: FloatArray

    @property
    def estimate(self) -> float:
        """The mean over seeds."""
        return float(self.each.mean())


def paired_difference(
    first: Outcome | Sequence[Outcome],
    second: Outcome | Sequence[Outcome],
    metric_name: str = PRIMARY,
    *,
    thresholds: tuple[Thresholds, Thresholds] = (None, None),
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    same_fits: bool = False,
) -> Difference:
    """Is A better than B? See the module's text; either side may be several training seeds of one method.

    Parameters
    ----------
    first, second : Outcome or Sequence[Outcome]
        A and B: one outcome, or one for each training seed.
    metric_name : str, optional
        A name of ``METRICS``.
    thresholds : tuple, optional
        Of A and of B: one number, or one for each seed; None if the metric reads none.
    replicates : int, optional
        Number of resamplings.
    seed : int, optional
        Of the resampling.
    level : float, optional
        Coverage of the interval, e.g. 0.95.
    same_fits : bool, optional
        Whether seed k of both sides is the same trained network (two rejection rules of one fit): then seeds are
        paired as well.

    Returns
    -------
    Difference
        A minus B.

    Raises
    ------
    RunError
        Not the same images.
    UsageError
        Unknown metric.
    ValueError
        Thresholds missing, a wrong level, a metric that has one value for each generator, same fits of different
        numbers of seeds.
    """
    if metric_name in PER_GENERATOR:
        raise ValueError(f"{metric_name} has one value for each generator; compare a metric with one value.")
    chosen = {metric_name: metric(metric_name)}
    (runs, cuts), (others, other_cuts) = (as_lists(o, t) for o, t in zip((first, second), thresholds, strict=True))
    resamples = resamples_of(runs, replicates, seed)
    one = side_of(replicate(runs, cuts, chosen, resamples), metric_name)
    other = side_of(replicate(others, other_cuts, chosen, resamples), metric_name)
    return difference_of(one, other, metric_name, level=level, same_fits=same_fits)


def side_of(found: Replicates, metric_name: str) -> Side:
    """One side of a comparison by a metric with one value."""
    return Side(found.each[metric_name], found.values[metric_name].mean(axis=1))


def difference_of(first: Side, second: Side, metric_name: str, *, level: float, same_fits: bool = False) -> Difference:
    """`paired_difference` of two sides that met the same resamples."""
    check_level(level)
    difference = first.estimate - second.estimate
    gaps = first.values - second.values
    gaps = gaps[np.isfinite(gaps)]
    if not math.isfinite(difference) or len(gaps) < 2:
        return Difference(metric_name, difference, math.nan, math.nan, level, math.nan, math.nan)
    parts = [(float(gaps.var(ddof=1)), _MANY), *_seed_parts(first, second, same_fits)]
    variance = sum(v for v, _ in parts)
    if variance <= 1e-24:  # no deviation at all: the difference is what it is
        return Difference(metric_name, difference, difference, difference, level, float(difference == 0), math.inf)
    freedom = min(_MANY, variance**2 / sum(v**2 / f for v, f in parts))
    error = math.sqrt(variance)
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(difference) / error))
    known = freedom if freedom < _MANY / 2 else math.inf
    return Difference(metric_name, difference, difference - half, difference + half, level, p_value, known)


def _seed_parts(first: Side, second: Side, same_fits: bool) -> list[tuple[float, float]]:
    """Variances of the means that training again would add, each with its degrees of freedom."""
    if same_fits:
        if len(first.each) != len(second.each):
            raise ValueError(f"the same fits have the same seeds, not {len(first.each)} and {len(second.each)}.")
        samples = [first.each - second.each]
    else:
        samples = [first.each, second.each]
    return [(float(x.var(ddof=1)) / len(x), len(x) - 1) for x in samples if len(x) > 1]
