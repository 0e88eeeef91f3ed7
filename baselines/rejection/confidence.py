"""How sure a softmax is, in numbers that do not round to 1. Shared by the rules that only look at logits."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp


def log_other_classes(logits: np.ndarray) -> np.ndarray:
    """log sum_{j != top} exp(z_j - z_top), (N,) float64: the log-odds against the arg max of logits (N, K)."""
    z = logits.astype(np.float64)
    return np.asarray(logsumexp(np.sort(z, axis=1)[:, :-1] - z.max(1, keepdims=True), axis=1))
