"""Free energy (Liu et al., Energy-based out-of-distribution detection, NeurIPS 2020)."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from .rule import RejectionRule, register_rule


@register_rule("energy")
class Energy(RejectionRule):
    """log sum_k exp(z_k), the negative free energy at temperature 1."""

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return np.asarray(logsumexp(logits.astype(np.float64), axis=1))
