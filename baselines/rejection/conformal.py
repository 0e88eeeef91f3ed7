"""Class-conditional conformal prediction (Vovk et al., Algorithmic learning in a random world, 2005): an ablation."""

from __future__ import annotations

import numpy as np

from .rule import Activations, LinearHead, RejectionRule, register_rule


@register_rule("conformal")
class Conformal(RejectionRule):
    """The largest p-value over the seen classes, in log-odds: how usual is logit c among images of class c?

    p_c = rank of z_c among the logits c of the calibration images of class c, over n_c + 1. So every class gets a
    threshold of its own, where the other rules share one; images of class c have p_c < t with probability at most
    t + 1 / (n_c + 1), whatever the logits are like. Between two calibration images the rank is interpolated and beyond
    the outermost it keeps falling or rising (by less than 1), so that scores are not tied.

    Calibrated on the seen *validation* images: the network has fitted its training images, whose logits are larger
    than those of any new image, so half of the training set would promise too much. The threshold is chosen on the
    same validation images. That looks twice at them, but at nothing unseen, and costs little: the share of accepted
    images may fall short by about K / N, where for the other rules it is 1 / N (K classes, N validation images).
    """

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        labels = held_out.labels
        own = held_out.logits[np.arange(len(labels)), labels].astype(np.float64)
        self.arrays = {}
        for k in range(held_out.logits.shape[1]):
            # A class without validation images borrows those of all classes.
            chosen = own[labels == k] if (labels == k).any() else own
            self.arrays[f"class{k}"] = np.sort(chosen)

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        p = np.max([p_values(logits[:, k], self.arrays[f"class{k}"]) for k in range(logits.shape[1])], axis=0)
        return np.log(p) - np.log1p(-p)


def p_values(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """p-values (N,) in (0, 1) of ``scores`` (N,) under the sorted ``calibration`` scores (n,); increasing.

    (#{calibration <= score} + t) / (n + 1) with 0 < t < 1, t = 1 being the conformal p-value: t is how far the score
    has come on its way from one calibration score to the next, beyond the outermost in standard deviations.
    """
    scores = np.asarray(scores, np.float64)
    levels = np.unique(calibration)
    scale = calibration.std() or 1.0
    reached = np.searchsorted(levels, scores, side="right")
    lower, upper = levels[np.maximum(reached - 1, 0)], levels[np.minimum(reached, len(levels) - 1)]
    way = (scores - lower) / np.where(upper > lower, upper - lower, 1.0)
    way = np.where(reached == 0, 1.0 / (1.0 + np.maximum(upper - scores, 0.0) / scale), way)
    way = np.where(reached == len(levels), 1.0 - 1.0 / (1.0 + np.maximum(scores - lower, 0.0) / scale), way)
    passed = np.searchsorted(calibration, scores, side="right")
    return (passed + way.clip(1e-12, 1.0 - 1e-12)) / (len(calibration) + 1)
