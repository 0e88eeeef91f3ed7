"""Generalised entropy, GEN (Liu, Lochman and Zach, CVPR 2023)."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from .confidence import log_other_classes
from .rule import RejectionRule, register_rule

GAMMA = 0.1
TOP = 100
"""The paper's values. Its 100 largest probabilities are all of them here, with the tens of classes of this field."""


@register_rule("entropy")
class GeneralisedEntropy(RejectionRule):
    """-sum_j (p_j (1 - p_j))^0.1 over the largest probabilities: the small power looks at the tails of the softmax."""

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        log_p = np.sort(log_softmax(logits.astype(np.float64), axis=1), axis=1)[:, ::-1]
        log_rest = np.empty_like(log_p)
        # 1 - p of the largest probability would cancel; that of the others, at most 1/2, does not.
        others = log_other_classes(logits)
        log_rest[:, 0] = others - np.log1p(np.exp(others))
        log_rest[:, 1:] = np.log1p(-np.exp(log_p[:, 1:]))
        return -np.exp(GAMMA * (log_p + log_rest))[:, :TOP].sum(1)
