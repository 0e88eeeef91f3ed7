"""How many groups some embeddings form, and which: Gaussian mixtures, their number chosen by the features alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LEAST = 10
"""Fewer embeddings than this are not grouped."""
MOST_GROUPS = 10
_AXES = 8
_IMAGES_PER_AXIS = 10
_FLOOR = 1e-3
_STARTS = 4


@dataclass(frozen=True, eq=False)
class Grouping:
    """N embeddings in groups, the largest first.

    Parameters
    ----------
    labels : numpy.ndarray
        int64 (N,), 0 for the largest group.
    silhouettes : numpy.ndarray
        float64 (N,), Rousseeuw's silhouette on the axes that were used: 1 is well inside its group, 0 between two,
        negative nearer to another. All NaN for a single group.
    typical : numpy.ndarray
        float64 (N,), log density under the mixture: the highest is the most typical image.
    """

    labels: np.ndarray
    silhouettes: np.ndarray
    typical: np.ndarray

    @property
    def count(self) -> int:
        """Number of groups."""
        return int(self.labels.max()) + 1

    @property
    def silhouette(self) -> float:
        """Mean over all; NaN for a single group."""
        return float(self.silhouettes.mean())


def group(embeddings: np.ndarray, most: int = MOST_GROUPS) -> Grouping:
    """Group embeddings.

    On the main axes (8, and fewer where there are under 80 embeddings), mixtures of 1 to ``most`` Gaussians are fitted,
    and the one with the lowest Bayesian information criterion counts (Fraley and Raftery, JASA 2002). One group is a
    possible answer. Nothing is drawn that depends on anything but the embeddings.

    Parameters
    ----------
    embeddings : numpy.ndarray
        (N, D), N >= :data:`LEAST`.
    most : int
        The largest number of groups.
    """
    from sklearn.metrics import silhouette_samples
    from sklearn.mixture import GaussianMixture

    rows = embeddings.astype(np.float64)
    rows = main_axes(rows, max(1, min(_AXES, rows.shape[1], len(rows) // _IMAGES_PER_AXIS)))
    # A group must have the images for a covariance of its own; an odd image is none.
    smallest = rows.shape[1] + 1
    largest = max(1, min(most, len(rows) // smallest, len(np.unique(rows, axis=0))))
    best, labels = math.inf, np.zeros(len(rows), np.int64)
    typical = np.zeros(len(rows))
    for k in range(1, largest + 1):
        fit = GaussianMixture(k, n_init=_STARTS, random_state=0, reg_covar=_FLOOR).fit(rows)
        found, criterion = np.asarray(fit.predict(rows)), float(fit.bic(rows))
        if criterion < best and np.bincount(found, minlength=k).min() >= smallest:
            best, labels, typical = criterion, found, np.asarray(fit.score_samples(rows))
    labels = np.argsort(np.argsort(-np.bincount(labels), kind="stable"))[labels]
    single = int(labels.max()) == 0
    silhouettes = np.full(len(rows), np.nan) if single else np.asarray(silhouette_samples(rows, labels))
    return Grouping(labels.astype(np.int64), silhouettes, typical)


def main_axes(rows: np.ndarray, count: int) -> np.ndarray:
    """Rows (N, D) on their axes of largest variance (N, count), the mean variance of these being 1."""
    centred = rows - rows.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:count]
    found = centred @ axes.T
    scale = np.sqrt(found.var(0).mean())
    return found / scale if scale > 0 else found


def purity(labels: np.ndarray, truth: np.ndarray) -> float:
    """Share of the images that are of the most frequent source of their group."""
    hits = [np.unique(truth[labels == name], return_counts=True)[1].max() for name in np.unique(labels)]
    return float(np.sum(hits) / len(labels))
