"""How sure a number is: three questions, three intervals, each named after the question it answers.

*These generators*: would other images of the same generators give another number? (stratified bootstrap of images)
*This method*: would training again, and other images, give another number? (seeds, then images)
*A new generator*: what of a generator that nobody has tested? (t on the means of the unseen generators; more images do
not narrow it, more generators do)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from .outcome import FloatArray, Outcome, check_same_images, finite_scores
from .resampling import BLOCK, mean_of_drawn_seeds, replicate_values
from .summary import METRICS, PER_GENERATOR, PRIMARY, Metric, metric, null_for_nan
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

    estimate: float
    low: float
    high: float
    level: float
    kind: str
    replicates: int
    seed: int | None

    def to_json(self) -> dict[str, Any]:
        """The fields, NaN as None."""
        return null_for_nan(asdict(self))


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
    images) each replicate draws seeds with replacement and *one* resample of the images for all of them, because the
    seeds share the images. Few seeds understate their spread: read it together with their standard deviation.

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
    runs, cuts = _as_lists(outcomes, thresholds)
    estimates, values = _resample(runs, cuts, chosen, replicates, seed)
    return {name: _percentiles(estimates[name], values[name], level, _kind(runs), seed) for name in chosen}


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
    runs, cuts = _as_lists(outcomes, thresholds)
    estimates, values = _resample(runs, cuts, PER_GENERATOR, replicates, seed)
    return {
        name: [
            _percentiles(estimates[name][k], values[name][:, k], level, _kind(runs), seed)
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
    _check_level(level)
    if means.min() < 0 or means.max() > 1:
        raise ValueError("means of unseen generators are rates in 0..1.")
    centre, low, high = float(means.mean()), math.nan, math.nan
    if len(means) >= 2:
        half = float(stdtrit(len(means) - 1, (1 + level) / 2) * means.std(ddof=1) / math.sqrt(len(means)))
        low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(centre, low, high, level, "generators", 0, None)


@dataclass(frozen=True)
class Difference:
    """Metric of A minus metric of B on the same images.

    Attributes
    ----------
    difference, low, high: percentile interval of the paired bootstrap; NaN where undefined.
    p_value: of approximate randomisation, two-sided, never 0: (1 + as extreme) / (1 + replicates).
    """

    metric: str
    difference: float
    low: float
    high: float
    level: float
    p_value: float
    replicates: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """The fields, NaN as None."""
        return null_for_nan(asdict(self))


def paired_difference(
    first: Outcome | Sequence[Outcome],
    second: Outcome | Sequence[Outcome],
    metric_name: str = PRIMARY,
    *,
    thresholds: tuple[Thresholds, Thresholds] = (None, None),
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """Is A better than B on these images? Paired stratified bootstrap, and a randomisation test.

    Either side may be several training seeds of one method; then means over seeds are compared, and the bootstrap
    draws the seeds of each side with replacement. Both sides get the same resamples of the images. The test swaps the
    two answers to an image (of all seeds) with probability 1/2, each image alone, and asks how often the difference is
    at least as large as the observed one: it speaks of these trained networks, the interval also of training again.
    Known scores of two methods are on no common scale, so what is swapped is scale-free: for metrics at a threshold the
    decision (accepted or not, candidate), for curves the mid-rank of the score within its own run (as in Venkatraman
    and Begg, Biometrika 1996).

    Raises
    ------
    RunError: not the same images. UsageError: unknown metric. ValueError: thresholds missing, not as many seeds on both
    sides, a metric that has one value for each generator.
    """
    _check_level(level)
    if metric_name in PER_GENERATOR:
        raise ValueError(f"{metric_name} has one value for each generator; compare a metric with one value.")
    chosen = {metric_name: metric(metric_name)}
    runs = [_as_lists(side, cuts) for side, cuts in zip((first, second), thresholds, strict=True)]
    if len(runs[0][0]) != len(runs[1][0]):
        raise ValueError(f"compare as many seeds of each: {len(runs[0][0])} and {len(runs[1][0])} were given.")
    check_same_images(runs[0][0][0], runs[1][0][0])
    # Seeds of A and of B are unrelated, so B draws its own; the images are the same, so their resamples are too.
    sides = [_resample(*run, chosen, replicates, seed, side) for side, run in enumerate(runs)]
    observed = float(sides[0][0][metric_name] - sides[1][0][metric_name])
    values = sides[0][1][metric_name] - sides[1][1][metric_name]
    interval = _percentiles(observed, values, level, _kind(runs[0][0]), seed)
    p_value = math.nan
    if math.isfinite(observed):
        pairs = list(zip(*runs[0], *runs[1], strict=True))
        null = np.mean([_swapped_differences(*p, chosen[metric_name], replicates, seed) for p in pairs], axis=0)
        null = null[np.isfinite(null)]
        p_value = float((1 + np.sum(np.abs(null) >= abs(observed) - 1e-12)) / (1 + len(null)))
    return Difference(metric_name, observed, interval.low, interval.high, level, p_value, replicates, seed)


def _swapped_differences(
    first: Outcome,
    cut: float | None,
    second: Outcome,
    other_cut: float | None,
    chosen: Metric,
    replicates: int,
    seed: int,
) -> FloatArray:
    """Differences with the answers to random images swapped: one joint ranking of both runs, weights 0 and 1."""
    sides = [_scale_free(first, cut, chosen.uses), _scale_free(second, other_cut, chosen.uses)]
    joint = Outcome(
        np.tile(first.truth, 2),
        np.tile(first.unseen_group, 2),
        np.concatenate([first.candidate, second.candidate]),
        np.concatenate(sides),
        first.n_classes,
        first.n_unseen,
    )
    threshold = 0.5 if chosen.uses == "threshold" else None
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    differences = []
    for start in range(0, replicates, BLOCK):
        keep = rng.integers(0, 2, size=(BLOCK, len(first)))[: replicates - start]
        one = chosen.kernel(Tally(joint, threshold, np.concatenate([keep, 1 - keep], axis=1)))
        other = chosen.kernel(Tally(joint, threshold, np.concatenate([1 - keep, keep], axis=1)))
        differences.append(one - other)
    return np.concatenate(differences)


def _scale_free(outcome: Outcome, threshold: float | None, uses: str) -> FloatArray:
    if uses == "threshold":
        assert threshold is not None
        return (outcome.known_score >= threshold).astype(np.float64)
    rank = outcome.ranking[1]
    count = np.bincount(rank)
    return (np.cumsum(count) - (count - 1) / 2)[rank]


def _as_lists(
    outcomes: Outcome | Sequence[Outcome], thresholds: Thresholds
) -> tuple[list[Outcome], list[float | None]]:
    runs = [outcomes] if isinstance(outcomes, Outcome) else list(outcomes)
    if thresholds is None or isinstance(thresholds, int | float | np.floating):
        return runs, [None if thresholds is None else float(thresholds)] * len(runs)
    return runs, list(thresholds)


def _resample(
    runs: list[Outcome],
    thresholds: list[float | None],
    metrics: Mapping[str, Metric],
    replicates: int,
    seed: int,
    side: int = 0,
) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """Mean over seeds on the data as they are, and the replicates of that mean."""
    values = replicate_values(runs, thresholds, metrics, replicates=replicates, seed=seed)
    plain = [Tally(run, cut) for run, cut in zip(runs, thresholds, strict=True)]
    estimates = {name: np.mean([m.kernel(tally)[0] for tally in plain], axis=0) for name, m in metrics.items()}
    return estimates, {name: mean_of_drawn_seeds(v, seed, side) for name, v in values.items()}


def _kind(runs: list[Outcome]) -> str:
    return "images" if len(runs) == 1 else "seeds+images"


def _percentiles(estimate: float, values: FloatArray, level: float, kind: str, seed: int) -> Interval:
    _check_level(level)
    defined = values[np.isfinite(values)]
    low, high = math.nan, math.nan
    if len(defined):
        low, high = (float(q) for q in np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]))
    return Interval(float(estimate), low, high, level, kind, len(defined), seed)


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies strictly between 0 and 1, not {level}.")
