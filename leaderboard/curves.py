"""What the page draws for an entry: its aF1-CRR curve and the known scores of every source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..benchmark.answers import Answers
from ..benchmark.metrics import Outcome
from ..benchmark.score import drawn_curve

MIN_BINS, MAX_BINS = 16, 48


@dataclass(frozen=True)
class EntryCurve:
    """aF1 over CRR, the mean over seeds; of several seeds also the lowest and the highest (else empty).

    The last point is (1, 0), which rejects everything. The exact area is the metric ``auc_af1_crr``.
    """

    crr: tuple[float, ...]
    af1: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class SourceScores:
    """One source in a histogram: images in each bin, and the share that is accepted."""

    generator: str
    openness: Literal["seen", "unseen"]
    counts: tuple[int, ...]
    accepted: float


@dataclass(frozen=True)
class Histogram:
    """How unfamiliar the test images of every source look to one seed (paper 1, Fig. 1); the axis is -known_score.

    Parameters
    ----------
    edges : tuple of float
        Of the bins; the last bin also counts what lies beyond it.
    groups : tuple of SourceScores
        One for each source, seen ones first.
    threshold : float
        On the same axis.
    seed : int
        Of the fit.
    """

    edges: tuple[float, ...]
    groups: tuple[SourceScores, ...]
    threshold: float
    seed: int


def entry_curve(tests: Sequence[Outcome]) -> EntryCurve:
    """The curve of the seeds of one entry."""
    curves = [drawn_curve(test) for test in tests]
    values = np.array([curve.af1 for curve in curves])
    crr = (*curves[0].crr, 1.0)
    if len(curves) == 1:
        return EntryCurve(crr, _closed(values[0]))
    return EntryCurve(crr, *(_closed(line) for line in (values.mean(axis=0), values.min(axis=0), values.max(axis=0))))


def _closed(values: np.ndarray) -> tuple[float, ...]:
    return (*np.round(values, 5).tolist(), 0.0)


def entry_histogram(answers: Answers, threshold: float) -> Histogram | None:
    """The histogram of one seed; None if all images have the same known score."""
    test, manifest, distance = answers.test, answers.manifest, -answers.test.known_score
    low = 0.0 if answers.rule in answers.info.normalised_distances else float(distance.min())
    high = max(float(np.quantile(distance, 0.985)), -threshold + 0.1 * abs(-threshold - low))
    if distance.min() == distance.max() or high <= low:
        return None
    generators = [*manifest.seen, *manifest.unseen]
    bins = int(np.clip(len(test) / len(generators) / 2.5, MIN_BINS, MAX_BINS))
    edges = np.linspace(low, high, bins + 1)
    source = np.where(test.truth >= 0, test.truth, test.n_classes + test.unseen_group)
    groups: list[SourceScores] = []
    for i, generator in enumerate(generators):
        own = distance[source == i]
        groups.append(
            SourceScores(
                generator=generator,
                openness="seen" if i < test.n_classes else "unseen",
                counts=tuple(np.histogram(np.clip(own, low, high), edges)[0].tolist()),
                accepted=float(np.mean(-own >= threshold)),
            )
        )
    return Histogram(tuple(np.round(edges, 6).tolist()), tuple(groups), -threshold, answers.info.seed)
