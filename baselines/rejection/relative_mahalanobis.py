"""Relative Mahalanobis distance (Ren et al., arXiv 2106.09022): minus the distance to "any image"."""

from __future__ import annotations

import numpy as np

from .feature_space import compact
from .mahalanobis import tied_gaussians
from .rule import Activations, LinearHead, RejectionRule, register_rule


@register_rule("relative-mahalanobis")
class RelativeMahalanobis(RejectionRule):
    """-min_c (d_c(f)^2 - d_0(f)^2), d_0 under one Gaussian for all training images together.

    The covariance of that Gaussian is, by the law of total covariance, the shared one plus the scatter B of the class
    means. The shared one is shrunk (Ledoit and Wolf) and B added to it, so that both distances agree in every
    direction that separates no classes, and those directions cancel exactly: the score needs the K inner products of f
    with the class means only. With W W^T = Sigma^-1 factored as in the Mahalanobis rule, y = W (f - mu), a_c = W (mu_c
    - mu) and U the rows sqrt(n_c / N) a_c, it is d_c^2 - d_0^2 = |a_c|^2 - 2 a_c y + (U y)^T (I + U U^T)^-1 (U y).
    """

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        centre, means, white = tied_gaussians(train)
        means = (means - centre) @ white.T
        shares = np.bincount(train.labels, minlength=len(means)) / len(train.labels)
        self.arrays = {"centre": centre, "directions": means @ white, "gram": means @ means.T, "shares": shares}

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        gram, root = self.arrays["gram"], np.sqrt(self.arrays["shares"])
        along = (compact(features) - self.arrays["centre"]) @ self.arrays["directions"].T
        u = along * root
        background = np.linalg.inv(np.eye(len(gram)) + gram * np.outer(root, root))
        together = np.einsum("ni,ij,nj->n", u, background, u)
        return (2.0 * along - np.diag(gram)).max(1) - together
