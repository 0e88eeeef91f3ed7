"""Mahalanobis distance to the nearest class (Lee et al., NeurIPS 2018), on the last features only."""

from __future__ import annotations

import numpy as np

from .covariance import shrunk_covariance, whitening
from .feature_space import class_means, compact
from .rule import Activations, LinearHead, RejectionRule, register_rule


@register_rule("mahalanobis")
class Mahalanobis(RejectionRule):
    """-min_c (f - mu_c)^T Sigma^-1 (f - mu_c), one covariance for all classes, shrunk by Ledoit and Wolf's amount.

    The paper inverts the empirical covariance; that needs many more images than dimensions.
    """

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        centre, means, white = tied_gaussians(train)
        white = white.astype(np.float32)  # half the size on disk
        self.arrays = {"centre": centre, "whitening": white, "means": (means - centre) @ white.T.astype(np.float64)}

    def enroll(self, features: np.ndarray) -> Mahalanobis:
        return Mahalanobis(self.arrays | {"means": np.vstack([self.arrays["means"], self.whitened(features).mean(0)])})

    def whitened(self, features: np.ndarray) -> np.ndarray:
        """Features (N, D) less the overall mean, with the identity as their shared covariance; float64."""
        return (compact(features) - self.arrays["centre"]) @ self.arrays["whitening"].astype(np.float64).T

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        white = self.whitened(features)
        return -np.min([((white - mean) ** 2).sum(1) for mean in self.arrays["means"]], axis=0)


def tied_gaussians(train: Activations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overall mean (D,), class means (K, D) and the whitening (D, D) of the shared covariance, of compact features."""
    features, labels = train.compact, train.labels
    means = class_means(features, labels, train.logits.shape[1])
    shares = np.bincount(labels, minlength=len(means)) / len(labels)
    return shares @ means, means, whitening(shrunk_covariance(features, means, labels))
