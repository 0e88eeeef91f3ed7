"""Confidence intervals: three questions, three intervals, each named after its question.

*These generators*: would other images of the same generators give another number? (stratified bootstrap of images)
*This method*: would training again, and other images, give another number? (images, and the deviation over seeds)
*A new generator*: where will the rate of one generator lie that nobody has tested? (a prediction interval from the
means of the unseen generators; more images do not narrow it, more generators do)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]

from ...core.documents import Number, to_json
from .outcome import FloatArray, Outcome, finite_scores
from .resampling import Replicates, Resamples, replicate, with_seed_noise
from .summary import METRICS, PER_GENERATOR, defined_per_generator, metric

#: Unseen generators that an interval for a new one needs.
LEAST_GENERATORS = 5

Thresholds = float | Sequence[float | None] | None


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Attributes
    ----------
    estimate : float
        The metric on the data as they are (mean over training seeds); NaN if undefined.
    low, high : float
        NaN if undecidable (undefined metric; too few generators).
    level : float
        Coverage aimed at, e.g. 0.95.
    kind : str
        "images" (these generators), "seeds+images" (this method) or "generators" (a new generator).
    replicates : int
        Bootstrap replicates in which the metric was defined; 0 where nothing was resampled.
    seed : int or None
        Feeds the resampling; None where nothing was resampled.
    """

    estimate: Number
    low: Number
    high: Number
    level: float
    kind: str
    replicates: int
    seed: int | None

    def to_json(self) -> dict[str, Any]:
        """The fields, NaN as None."""
        return to_json(self)


def bootstrap_intervals(
    outcomes: Outcome | Sequence[Outcome],
    thresholds: Thresholds = None,
    metrics: Sequence[str] | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals of metrics over images, or over seeds and images.

    Images are resampled within each generator, so every generator keeps its count. Thresholds stay as they are: they
    belong to the method, not to the test images. Several outcomes are training seeds of one method on the same images:
    each replicate has *one* resample of the images for all of them. What training again would change is added
    (`with_seed_noise`): with few seeds intervals are wide.

    Parameters
    ----------
    outcomes : Outcome or Sequence[Outcome]
        One, or one for each training seed.
    thresholds : float or Sequence[float or None] or None, optional
        Likewise; None if no metric reads one.
    metrics : Sequence[str] or None, optional
        Names of `METRICS`; all of them by default.
    replicates : int, optional
        Number of resamplings.
    seed : int, optional
        Of the resampling.
    level : float, optional
        Coverage aimed at, e.g. 0.95.

    Returns
    -------
    dict[str, Interval]
        By name of the metric.

    Raises
    ------
    RunError
        Different images, no unseen images.
    UsageError
        Unknown metric.
    ValueError
        No outcome, wrong level.
    """
    chosen = {name: metric(name) for name in (METRICS if metrics is None else metrics)}
    vectors = [name for name in chosen if name in PER_GENERATOR]
    if vectors:
        raise ValueError(f"{vectors[0]} has one value for each generator; use per_generator_intervals.")
    runs, cuts = as_lists(outcomes, thresholds)
    found = replicate(runs, cuts, chosen, resamples_of(runs, replicates, seed))
    return {name: interval_of(found, name, level) for name in chosen}


def bootstrap_interval(
    outcome: Outcome,
    metric_name: str,
    threshold: float | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """`bootstrap_intervals` of one metric of one run ("these generators")."""
    return bootstrap_intervals(outcome, threshold, [metric_name], replicates=replicates, seed=seed, level=level)[
        metric_name
    ]


def nested_interval(
    outcomes: Sequence[Outcome],
    metric_name: str,
    thresholds: Thresholds = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """`bootstrap_intervals` of one metric over the training seeds of one method ("this method")."""
    return bootstrap_intervals(outcomes, thresholds, [metric_name], replicates=replicates, seed=seed, level=level)[
        metric_name
    ]


def per_generator_intervals(
    outcomes: Outcome | Sequence[Outcome],
    thresholds: Thresholds = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, list[Interval]]:
    """`bootstrap_intervals` of F1 of each seen generator, CRR and AUROC of each unseen one, in index order.

    F1 alone where nobody is unseen.
    """
    runs, cuts = as_lists(outcomes, thresholds)
    resamples = resamples_of(runs, replicates, seed)
    metrics = defined_per_generator(runs[0].n_unseen)
    found = replicate(runs, cuts, metrics, resamples)
    return {name: intervals_of(found, name, level) for name in metrics}


def interval_of(found: Replicates, name: str, level: float = 0.95) -> Interval:
    """The interval of a metric with one value, as `bootstrap_intervals` gives it."""
    values = with_seed_noise(found.values[name], found.each[name], found.seed)
    return percentiles(found.each[name].mean(axis=0), values, level, _kind(found), found.seed)


def intervals_of(found: Replicates, name: str, level: float = 0.95) -> list[Interval]:
    """The intervals of a metric with one value for each generator, as `per_generator_intervals` gives them."""
    values = with_seed_noise(found.values[name], found.each[name], found.seed)
    means = found.each[name].mean(axis=0)
    return [percentiles(mean, values[:, k], level, _kind(found), found.seed) for k, mean in enumerate(means)]


def generator_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Where the rate of a new generator will lie: Student's prediction interval from n tested ones, clipped to 0..1.

    mean +- t(n - 1) * sd * sqrt(1 + 1/n): the interval of one more value of the same kind, not of their mean, which is
    narrower by sqrt(n + 1) and says nothing of any single generator (Hahn and Meeker, Statistical Intervals, 1991).

    Parameters
    ----------
    values : ArrayLike
        (n_unseen,) e.g. `crr_per_generator`, each in 0..1. Of fewer than `LEAST_GENERATORS` the bounds are NaN: two
        that happen to be alike would look like a sharp forecast.

    Raises
    ------
    RunError
        No value, or one that is not finite.
    ValueError
        Wrong level, or a value outside 0..1.
    """
    means = finite_scores("the mean of each unseen generator", values)
    check_level(level)
    if means.min() < 0 or means.max() > 1:
        raise ValueError("means of unseen generators are rates in 0..1.")
    centre, low, high = float(means.mean()), math.nan, math.nan
    if len(means) >= LEAST_GENERATORS:
        quantile = float(stdtrit(len(means) - 1, (1 + level) / 2))
        half = quantile * float(means.std(ddof=1)) * math.sqrt(1 + 1 / len(means))
        low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(centre, low, high, level, "generators", 0, None)


def as_lists(outcomes: Outcome | Sequence[Outcome], thresholds: Thresholds) -> tuple[list[Outcome], list[float | None]]:
    """One outcome or several, with one threshold for all or one for each, as two lists."""
    runs = [outcomes] if isinstance(outcomes, Outcome) else list(outcomes)
    if thresholds is None or isinstance(thresholds, int | float | np.floating):
        return runs, [None if thresholds is None else float(thresholds)] * len(runs)
    return runs, list(thresholds)


def resamples_of(runs: list[Outcome], replicates: int, seed: int) -> Resamples:
    """Resamples for the runs of one method; ValueError if there is no run."""
    if not runs:
        raise ValueError("one threshold for each outcome is needed: 0 outcomes.")
    return Resamples(runs[0], replicates, seed)


def _kind(found: Replicates) -> str:
    return "images" if found.seeds == 1 else "seeds+images"


def percentiles(estimate: float, values: FloatArray, level: float, kind: str, seed: int) -> Interval:
    """The percentile interval of the replicates in which the metric was defined."""
    check_level(level)
    defined = values[np.isfinite(values)]
    low, high = math.nan, math.nan
    if len(defined):
        low, high = (float(q) for q in np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]))
    return Interval(float(estimate), low, high, level, kind, len(defined), seed)


def check_level(level: float) -> None:
    """Refuse a confidence level that is not strictly between 0 and 1 (ValueError)."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies strictly between 0 and 1, not {level}.")
