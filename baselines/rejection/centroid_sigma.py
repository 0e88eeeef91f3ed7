"""Paper 1's rejection rule, eqs. 4, 6 and 7: distance to a class centroid in standard deviations of the class."""

from __future__ import annotations

import numpy as np

from ...core.errors import RunError
from ..few_images import reference_of
from .feature_space import blocks, class_means
from .rule import Activations, LinearHead, RejectionRule, register_rule


def references(embeddings: np.ndarray, labels: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Class centroids r (K, D), eq. 4, and standard deviations sigma (K,), eq. 7 with n - 1, both float64.

    ``embeddings`` (N, D), ``labels`` (N,) in [0, K). A class with one image has no sigma, since eq. 7 divides by n - 1:
    it gets that of the others (the root of their mean variance), or 1 where no class has one. Raises
    :class:`RunError` for a class without an image, and for one of several images whose embeddings all coincide.
    """
    counts = np.bincount(labels, minlength=n_classes)
    centroids = class_means(embeddings, labels, n_classes)
    squares = np.zeros(n_classes)
    for rows, block in blocks(embeddings, centroids, labels):
        squares += np.bincount(labels[rows], weights=(block**2).sum(1), minlength=n_classes)
    several = counts > 1
    collapsed = np.flatnonzero(several & ~(squares > 0))
    if len(collapsed):
        k = int(collapsed[0])
        raise RunError(f"all {counts[k]} training embeddings of class {k} coincide; the network has collapsed")
    variances = np.ones(n_classes)
    variances[several] = squares[several] / (counts[several] - 1)
    if several.any():
        variances[~several] = variances[several].mean()
    return centroids, np.sqrt(variances)


def distances(embeddings: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """L2 distances (N, K) float64 of embeddings (N, D) to centroids (K, D), without the cancelling expansion."""
    embeddings = embeddings.astype(np.float64)
    return np.stack([np.sqrt(((embeddings - r) ** 2).sum(1)) for r in centroids], axis=1)


@register_rule("centroid-sigma")
class CentroidSigma(RejectionRule):
    """-d(f, r_k) / sigma_k for the class k that the classifier chose (arg max of the logits, not nearest centroid)."""

    normalised_distance = True

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        centroids, sigmas = references(train.features, train.labels, train.logits.shape[1])
        self.arrays = {"centroids": centroids, "sigmas": sigmas}

    def enroll(self, features: np.ndarray) -> CentroidSigma:
        centroid, sigma = reference_of(features, self.arrays["sigmas"])
        centroids, sigmas = self.arrays["centroids"], self.arrays["sigmas"]
        return CentroidSigma({"centroids": np.vstack([centroids, centroid]), "sigmas": np.append(sigmas, sigma)})

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        k = self.candidate(logits)
        away = np.sqrt(((features.astype(np.float64) - self.arrays["centroids"][k]) ** 2).sum(1))
        return -away / self.arrays["sigmas"][k]
