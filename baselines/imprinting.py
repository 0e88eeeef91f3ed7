"""A row of a linear layer for a class that was not trained (after Qi et al., CVPR 2018, "imprinted weights")."""

from __future__ import annotations

import numpy as np

from .rejection import LinearHead, RejectionRule
from .rejection.feature_space import compact
from .rejection.mahalanobis import Mahalanobis


def imprinted(head: LinearHead, means: np.ndarray, features: np.ndarray, gaussians: RejectionRule) -> LinearHead:
    """The layer with one more row, so that the new logit behaves at the class means as the others do.

    The row points from the middle of the known classes to the new one, in the metric of their shared covariance (linear
    discriminant analysis). Two conditions set its length and bias: at the mean of its own images the new logit is what
    the others are at theirs, on average; and at the means of the others it is what theirs are at means of other
    classes, on average. (The paper takes the mean feature itself, for networks trained with cosines.)

    Parameters
    ----------
    head : LinearHead
        Of the K known classes.
    means : numpy.ndarray
        (K, D), mean feature of each.
    features : numpy.ndarray
        (n, D), of the new class.
    gaussians : RejectionRule
        The fitted rule ``mahalanobis``; features of more than 2048 dimensions are compared without it.
    """
    new, middle = features.astype(np.float64).mean(0), means.mean(0)
    direction = new - middle
    if compact(features) is features and isinstance(gaussians, Mahalanobis):
        white = gaussians.arrays["whitening"].astype(np.float64)
        direction = white.T @ (white @ direction)
    logits = means @ head.weight.T.astype(np.float64) + head.bias
    own = float(np.diag(logits).mean())
    other = float((logits.sum() - np.trace(logits)) / (logits.size - len(logits)))
    slope = (own - other) / max(float(direction @ (new - middle)), 1e-12)
    weight = np.vstack([head.weight, slope * direction]).astype(np.float32)
    return LinearHead(weight, np.append(head.bias, own - slope * float(direction @ new)).astype(np.float32))
