"""Maximum softmax probability (Hendrycks and Gimpel, ICLR 2017)."""

from __future__ import annotations

import numpy as np

from .confidence import log_other_classes
from .rule import RejectionRule, register_rule


@register_rule("msp")
class MaximumSoftmaxProbability(RejectionRule):
    """log max_k softmax(z)_k. The logarithm keeps the order where the probability itself would round to 1."""

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return -np.log1p(np.exp(log_other_classes(logits)))
