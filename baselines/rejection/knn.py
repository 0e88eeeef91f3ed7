"""Distance to the k-th nearest training image (Sun, Ming, Zhu and Li, ICML 2022)."""

from __future__ import annotations

import numpy as np

from .feature_space import compact
from .rule import Activations, LinearHead, RejectionRule, register_rule

BANK = 10_000
NEIGHBOURS = 50
_BLOCK = 1024


@register_rule("knn")
class NearestNeighbours(RejectionRule):
    """Minus the Euclidean distance to the k-th nearest training feature, all on the unit sphere.

    At most 10,000 training images are kept, evenly spread over each class; k is 50 of 10,000 and in proportion fewer
    of a smaller bank.
    """

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        by_class = np.argsort(train.labels, kind="stable")
        kept = np.sort(by_class[np.linspace(0, len(by_class) - 1, min(BANK, len(by_class))).astype(np.int64)])
        self.arrays = {"bank": unit_length(train.compact[kept]).astype(np.float32)}

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        bank = self.arrays["bank"]
        k = -(-len(bank) * NEIGHBOURS // BANK)
        features = unit_length(compact(features))
        return np.concatenate(
            [_minus_kth_distance(features[i : i + _BLOCK], bank, k) for i in range(0, len(features), _BLOCK)]
        )


def _minus_kth_distance(features: np.ndarray, bank: np.ndarray, k: int) -> np.ndarray:
    # The product finds the neighbour; the distance is then measured to it, since 1 - cosine would cancel. Half the
    # squared length counts because an all-zero feature has no length 1.
    closeness = features.astype(np.float32) @ bank.T - (bank**2).sum(1) / 2
    kth = np.argpartition(-closeness, k - 1, axis=1)[:, k - 1]
    return -np.linalg.norm(features - bank[kth], axis=1)


def unit_length(features: np.ndarray) -> np.ndarray:
    """Rows divided by their length, float64; a row of zeros stays."""
    features = features.astype(np.float64)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length > 0, length, 1.0)
