"""Maximum logit (Hendrycks et al., Scaling out-of-distribution detection for real-world settings, ICML 2022)."""

from __future__ import annotations

import numpy as np

from .rule import RejectionRule, register_rule


@register_rule("max-logit")
class MaximumLogit(RejectionRule):
    """max_k z_k: unlike a probability it also says how strong the evidence is, not only how one-sided."""

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return logits.max(1).astype(np.float64)
