"""How sure a number is: three questions, three intervals, each named after the question it answers.

*These generators*: would other images of the same generators give another number? (stratified bootstrap of images)
*This method*: would training again, and other images, give another number? (images, and the spread over seeds)
*A new generator*: what of a generator that nobody has tested? (t on the means of the unseen generators; more images do
not narrow it, more generators do)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from ...core.documents import to_json
from ...core.schema import NumberOrNull
from .outcome import FloatArray, Outcome, finite_scores
from .resampling import replicate_values, with_seed_noise
from .summary import METRICS, PER_GENERATOR, Metric, metric
from .tally import Tally

Thresholds = float | Sequence[float | None] | None


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Attributes
    ----------
    estimate: the metric on the data as they are (mean over training seeds); NaN if undefined.
    low, high: NaN if undecidable (undefined metric; fewer than 2 generators).
    level: coverage aimed at, e.g. 0.95.
    kind: "images" (these generators), "seeds+images" (this method) or "generators" (a new generator).
    replicates: bootstrap replicates in which the metric was defined; 0 where nothing was resampled.
    seed: of the resampling; None where nothing was resampled.
    """

    estimate: NumberOrNull
    low: NumberOrNull
    high: NumberOrNull
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
    belong to the method, not to the test images. With several outcomes (training seeds of one method on the same
    images) each replicate has *one* resample of the images for all of them, because the seeds share the images, and
    what training again would change is added (`with_seed_noise`): with few seeds intervals are wide.

    Parameters
    ----------
    outcomes: one, or one for each training seed. thresholds: likewise; None if no metric reads one.
    metrics: names of `METRICS`; all of them by default.

    Raises
    ------
    RunError: different images, no unseen images. UsageError: unknown metric. ValueError: no outcome, wrong level.
    """
    chosen = {name: metric(name) for name in (METRICS if metrics is None else metrics)}
    vectors = [name for name in chosen if name in PER_GENERATOR]
    if vectors:
        raise ValueError(f"{vectors[0]} has one value for each generator; use per_generator_intervals.")
    runs, cuts = as_lists(outcomes, thresholds)
    estimates, values = resample(runs, cuts, chosen, replicates, seed)
    return {name: percentiles(estimates[name], values[name], level, kind_of(runs), seed) for name in chosen}


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
    """`bootstrap_intervals` of F1 of each seen generator, CRR and AUROC of each unseen one, in index order."""
    runs, cuts = as_lists(outcomes, thresholds)
    estimates, values = resample(runs, cuts, PER_GENERATOR, replicates, seed)
    return {
        name: [
            percentiles(estimates[name][k], values[name][:, k], level, kind_of(runs), seed)
            for k in range(len(estimates[name]))
        ]
        for name in PER_GENERATOR
    }


def generator_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """What to expect of a new generator: Student's t on one mean per unseen generator, clipped to 0..1.

    Parameters
    ----------
    values: (n_unseen,) e.g. `crr_per_generator`, each in 0..1. With fewer than 2 nothing can be said: NaN bounds.

    Raises
    ------
    RunError: no value, or one that is not finite. ValueError: wrong level, or a value outside 0..1.
    """
    means = finite_scores("the mean of each unseen generator", values)
    check_level(level)
    if means.min() < 0 or means.max() > 1:
        raise ValueError("means of unseen generators are rates in 0..1.")
    centre, low, high = float(means.mean()), math.nan, math.nan
    if len(means) >= 2:
        half = float(stdtrit(len(means) - 1, (1 + level) / 2) * means.std(ddof=1) / math.sqrt(len(means)))
        low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(centre, low, high, level, "generators", 0, None)


def as_lists(outcomes: Outcome | Sequence[Outcome], thresholds: Thresholds) -> tuple[list[Outcome], list[float | None]]:
    """One outcome or several, with one threshold for all or one for each, as two lists."""
    runs = [outcomes] if isinstance(outcomes, Outcome) else list(outcomes)
    if thresholds is None or isinstance(thresholds, int | float | np.floating):
        return runs, [None if thresholds is None else float(thresholds)] * len(runs)
    return runs, list(thresholds)


def resample(
    runs: list[Outcome],
    thresholds: list[float | None],
    metrics: Mapping[str, Metric],
    replicates: int,
    seed: int,
) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """Mean over seeds on the data as they are, and the replicates of that mean."""
    values = replicate_values(runs, thresholds, metrics, replicates=replicates, seed=seed)
    plain = [Tally(run, cut) for run, cut in zip(runs, thresholds, strict=True)]
    each = {name: np.array([m.kernel(tally)[0] for tally in plain]) for name, m in metrics.items()}
    estimates = {name: v.mean(axis=0) for name, v in each.items()}
    return estimates, {name: with_seed_noise(v, each[name], seed) for name, v in values.items()}


def kind_of(runs: list[Outcome]) -> str:
    """What the bootstrap of these runs resamples."""
    return "images" if len(runs) == 1 else "seeds+images"


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
