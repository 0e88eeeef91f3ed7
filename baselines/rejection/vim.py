"""Virtual-logit matching, ViM (Wang et al., CVPR 2022)."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from ...core.errors import RunError
from .covariance import second_moment
from .feature_space import blocks, compact
from .rule import Activations, LinearHead, RejectionRule, register_rule


@register_rule("vim")
class VirtualLogitMatching(RejectionRule):
    """Energy minus a "virtual logit": alpha times the part of f - o outside the principal space of the training images.

    o = -W^+ b is where the last layer's logits vanish; alpha makes the mean virtual logit of the training images equal
    to their mean maximum logit. Principal dimensions: 1000 from 1500 features on and 512 from 768 on (the paper), half
    of them below that, and never more than half of the dimensions that the training images span.
    """

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        if head is None:
            raise RunError("rejection rule 'vim' needs a network with a linear last layer; choose another rule")
        origin = -np.linalg.pinv(head.weight.astype(np.float64)) @ head.bias.astype(np.float64)
        origin = compact(origin[None])[0]
        features = train.compact
        variances, axes = np.linalg.eigh(second_moment(features, origin))
        spanned = int((variances > variances[-1] * len(variances) * np.finfo(np.float64).eps).sum())
        count = min(principal_dimensions(len(axes)), spanned // 2)
        principal = axes[:, len(axes) - count :]
        residual = sum(_residual(block, principal).sum() for _, block in blocks(features, origin)) / len(features)
        # Logits below zero on average leave nothing to match: the rule is then the energy.
        alpha = max(float(train.logits.max(1).mean()), 0.0) / residual if residual > 0 else 0.0
        self.arrays = {"origin": origin, "principal": principal.astype(np.float32), "alpha": np.array([alpha])}

    def enroll(self, features: np.ndarray) -> VirtualLogitMatching:
        """The same: the principal space is that of all images together."""
        return self

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        centred = compact(features) - self.arrays["origin"]
        residual = _residual(centred, self.arrays["principal"].astype(np.float64))
        return logsumexp(logits.astype(np.float64), axis=1) - self.arrays["alpha"] * residual


def _residual(centred: np.ndarray, principal: np.ndarray) -> np.ndarray:
    """Lengths (N,) of what is left of the rows (N, D) outside the orthonormal columns (D, d)."""
    return np.linalg.norm(centred - (centred @ principal) @ principal.T, axis=1)


def principal_dimensions(length: int) -> int:
    """Size of the principal space for features of ``length`` dimensions."""
    if length >= 1500:
        return 1000
    return 512 if length >= 768 else length // 2
