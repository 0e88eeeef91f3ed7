"""Margin: the difference between the two largest softmax probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from osbench.baselines.rejection.rule import RejectionRule, register_rule


@register_rule("margin")
class Margin(RejectionRule):
    """Largest softmax probability less the second largest: small where two generators are equally likely."""

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        p = np.sort(softmax(logits.astype(np.float64), axis=1), axis=1)
        return p[:, -1] - p[:, -2]
