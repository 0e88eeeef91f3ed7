"""Paper 1's rejection rule, eqs. 4, 6 and 7: distance to a class centroid in units of the class's spread."""

from __future__ import annotations

import numpy as np

from ...generation.errors import RunError
from .rule import Activations, LinearHead, RejectionRule, register_rule


def references(embeddings: np.ndarray, labels: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Class centroids r (K, D), eq. 4, and spreads sigma (K,), eq. 7 with n - 1, both float64.

    ``embeddings`` (N, D), ``labels`` (N,) in [0, K). Raises :class:`RunError` for a class with fewer than two images
    or one whose embeddings all coincide: neither has a spread.
    """
    embeddings = embeddings.astype(np.float64)
    centroids, sigmas = np.empty((n_classes, embeddings.shape[1])), np.empty(n_classes)
    for k in range(n_classes):
        own = embeddings[labels == k]
        if len(own) < 2:
            raise RunError(f"class {k} has {len(own)} training image(s); a reference needs at least two")
        centroids[k] = own.mean(0)
        sigmas[k] = np.sqrt(((own - centroids[k]) ** 2).sum() / (len(own) - 1))
        if not sigmas[k] > 0:
            raise RunError(f"all {len(own)} training embeddings of class {k} coincide; the network has collapsed")
    return centroids, sigmas


def distances(embeddings: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """L2 distances (N, K) float64 of embeddings (N, D) to centroids (K, D), without the cancelling expansion."""
    embeddings = embeddings.astype(np.float64)
    return np.stack([np.sqrt(((embeddings - r) ** 2).sum(1)) for r in centroids], axis=1)


@register_rule("centroid-sigma")
class CentroidSigma(RejectionRule):
    """-d(f, r_k) / sigma_k for the class k that the classifier chose (arg max of the logits, not nearest centroid)."""

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        centroids, sigmas = references(train.features, train.labels, train.logits.shape[1])
        self.arrays = {"centroids": centroids, "sigmas": sigmas}

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        k = self.candidate(logits)
        away = np.sqrt(((features.astype(np.float64) - self.arrays["centroids"][k]) ** 2).sum(1))
        return -away / self.arrays["sigmas"][k]
