"""From distances to answers: rejection rules that take nothing but the distances to every candidate source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...benchmark.scores import Scores

KINDS = ("nearest", "mean")
"""To what the distance is taken: the nearest draw of a source, or the mean of its draws' features."""

RULES = ("distance", "gap", "z-score")


@dataclass(frozen=True)
class Calibration:
    """Means and standard deviations (K,) of the distances of known images to every source, for one kind of distance.

    Every class counts as much as every other one, whatever its number of images.
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, distances: np.ndarray, labels: np.ndarray) -> Calibration:
        """From distances (N, K) of images with labels (N,)."""
        weights = 1 / np.bincount(labels)[labels]
        mean = np.average(distances, axis=0, weights=weights)
        variance = np.average((distances - mean) ** 2, axis=0, weights=weights)
        return cls(mean, np.maximum(np.sqrt(variance), 1e-9))


def rule_names(several_draws: bool) -> tuple[str, ...]:
    """The rules, first those of the nearest draw; those of the mean only where there is more than one draw."""
    return (*RULES, *(f"mean-{rule}" for rule in RULES)) if several_draws else RULES


def answers(found: dict[str, np.ndarray], calibrations: dict[str, Calibration]) -> dict[str, Scores]:
    """The answers of all rules.

    ``distance``: the nearest source, known the nearer it is. ``gap``: the nearest source, known the further away the
    second one is. ``z-score``: a source's distance in standard deviations below what it is for known images of all
    sources; it names the source with the lowest one, so that a source that shows every picture well is no favourite.

    Parameters
    ----------
    found : dict of str to np.ndarray
        Kind (:data:`KINDS`) -> distances (N, K), float64.
    calibrations : dict of str to Calibration
        The same kinds.

    Returns
    -------
    dict of str to Scores
        Rule -> answers. Class scores are minus the distances to the nearest draws; their softmax is P of the paper.
    """
    scores: dict[str, Scores] = {}
    for kind, distances in found.items():
        prefix = "" if kind == "nearest" else f"{kind}-"
        known = calibrations[kind]
        z = (distances - known.mean) / known.std
        nearest, second = np.sort(distances, axis=1)[:, :2].T
        columns = {"distance": (-nearest, distances), "gap": (second - nearest, distances), "z-score": (-z.min(1), z)}
        for rule, (known_score, alike) in columns.items():
            scores[prefix + rule] = Scores(-found["nearest"], known_score, alike.argmin(1)).check()
    return scores
