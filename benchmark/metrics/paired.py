"""Two methods on the same images: the difference, how sure it is, and whether chance would give as much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .intervals import Thresholds, as_lists, check_level, kind_of, percentiles, resample
from .outcome import FloatArray, Outcome, check_same_images
from .resampling import BLOCK
from .summary import PER_GENERATOR, PRIMARY, Metric, metric, null_for_nan
from .tally import Tally


@dataclass(frozen=True)
class Difference:
    """Metric of A minus metric of B on the same images.

    Attributes
    ----------
    difference, low, high: percentile interval of the paired bootstrap; NaN where undefined.
    p_value: of approximate randomisation, two-sided, never 0: (1 + as extreme) / (1 + replicates). NaN where undefined.
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


@dataclass(frozen=True)
class Side:
    """One method of a comparison: its training seeds, the mean of the metric over them, and its replicates (R,)."""

    runs: list[Outcome]
    thresholds: list[float | None]
    estimate: float
    values: FloatArray


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
    RunError: not the same images. UsageError: unknown metric. ValueError: thresholds missing, a wrong level, a metric
    that has one value for each generator.
    """
    first_side, second_side = (
        side_of(outcomes, cuts, metric_name, replicates=replicates, seed=seed, index=index)
        for index, (outcomes, cuts) in enumerate(zip((first, second), thresholds, strict=True))
    )
    return difference_of(first_side, second_side, metric_name, seed=seed, level=level)


def side_of(
    outcomes: Outcome | Sequence[Outcome],
    thresholds: Thresholds,
    metric_name: str,
    *,
    replicates: int,
    seed: int,
    index: int,
) -> Side:
    """Resample one side. Sides of different `index` draw their training seeds apart, and the same images."""
    if metric_name in PER_GENERATOR:
        raise ValueError(f"{metric_name} has one value for each generator; compare a metric with one value.")
    runs, cuts = as_lists(outcomes, thresholds)
    estimates, values = resample(runs, cuts, {metric_name: metric(metric_name)}, replicates, seed, index)
    return Side(runs, cuts, float(estimates[metric_name]), values[metric_name])


def difference_of(first: Side, second: Side, metric_name: str, *, seed: int, level: float) -> Difference:
    """`paired_difference` of two sides resampled under the same seed."""
    check_level(level)
    check_same_images(first.runs[0], second.runs[0])
    observed, replicates = first.estimate - second.estimate, len(first.values)
    interval = percentiles(observed, first.values - second.values, level, kind_of(first.runs), seed)
    p_value = math.nan
    if math.isfinite(observed):
        null = _null_differences(first, second, metric(metric_name), replicates, seed)
        p_value = float((1 + np.sum(np.abs(null) >= abs(observed) - 1e-12)) / (1 + len(null)))
    return Difference(metric_name, observed, interval.low, interval.high, level, p_value, replicates, seed)


def _null_differences(first: Side, second: Side, chosen: Metric, replicates: int, seed: int) -> FloatArray:
    """Differences of the means over seeds where answers are swapped, in the replicates in which they are defined."""
    one, other = (list(zip(side.runs, side.thresholds, strict=True)) for side in (first, second))
    # The mean over all pairs is the same difference of means; with as many seeds on both sides, n pairs do for n * n.
    pairs = zip(one, other, strict=True) if len(one) == len(other) else itertools.product(one, other)
    swapped = [
        swapped_differences(a, cut, b, other_cut, chosen, replicates, seed) for (a, cut), (b, other_cut) in pairs
    ]
    null = np.mean(swapped, axis=0)
    return null[np.isfinite(null)]


def swapped_differences(
    first: Outcome,
    threshold: float | None,
    second: Outcome,
    other_threshold: float | None,
    chosen: Metric,
    replicates: int,
    seed: int,
) -> FloatArray:
    """Differences with the answers to random images swapped, float64 (replicates,).

    One joint ranking of the answers of both runs, with weights 0 and 1 that say which of the two an image keeps.
    """
    sides = [_scale_free(first, threshold, chosen.uses), _scale_free(second, other_threshold, chosen.uses)]
    joint = Outcome(
        np.tile(first.truth, 2),
        np.tile(first.unseen_group, 2),
        np.concatenate([first.candidate, second.candidate]),
        np.concatenate(sides),
        first.n_classes,
        first.n_unseen,
    )
    joint_threshold = 0.5 if chosen.uses == "threshold" else None
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    differences = []
    for start in range(0, replicates, BLOCK):
        keep = rng.integers(0, 2, size=(BLOCK, len(first)))[: replicates - start]
        one = chosen.kernel(Tally(joint, joint_threshold, np.concatenate([keep, 1 - keep], axis=1)))
        other = chosen.kernel(Tally(joint, joint_threshold, np.concatenate([1 - keep, keep], axis=1)))
        differences.append(one - other)
    return np.concatenate(differences)


def _scale_free(outcome: Outcome, threshold: float | None, uses: str) -> FloatArray:
    """1 for accepted and 0 for rejected images, or the mid-rank of each score among those of its run."""
    if uses == "threshold":
        assert threshold is not None
        return (outcome.known_score >= threshold).astype(np.float64)
    rank = outcome.ranking[1]
    count = np.bincount(rank)
    return (np.cumsum(count) - (count - 1) / 2)[rank]
