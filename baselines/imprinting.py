"""A row of a linear layer for a class that was not trained (after Qi et al., CVPR 2018, "imprinted weights")."""

from __future__ import annotations

import numpy as np

from .rejection import LinearHead, RejectionRule
from .rejection.feature_space import compact
from .rejection.mahalanobis import Mahalanobis

LEAST = 0.1
"""At least this share of the distance to the new class is taken for true where nearly all of it may be noise."""


def imprinted(head: LinearHead, means: np.ndarray, features: np.ndarray, gaussians: RejectionRule) -> LinearHead:
    """The layer with one more row, so that the new logit behaves at the class means as the others do.

    The row points from the middle of the known classes to the new one, in the metric of their shared covariance (linear
    discriminant analysis). Two conditions set its length and bias: where the new class really lies, its logit is what
    the others are at theirs, on average; in the middle of the known classes it is what theirs are at the means of other
    classes, on average. How far away the class really is: the distance of its mean, less what the noise of a mean of n
    images adds. (The paper takes the mean feature itself, for networks trained with cosines.)

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
    direction, noise = new - middle, 0.0
    if compact(features) is features and isinstance(gaussians, Mahalanobis):
        white = gaussians.arrays["whitening"].astype(np.float64)
        direction, noise = white.T @ (white @ direction), float(len(direction))
    logits = means @ head.weight.T.astype(np.float64) + head.bias
    own = float(np.diag(logits).mean())
    other = float((logits.sum() - np.trace(logits)) / (logits.size - len(logits)))
    length = float(direction @ (new - middle))
    # The mean of few images lies off the true one, and the metric counts that as distance: one for each axis and image.
    true = max(length - noise / len(features), LEAST * length, 1e-12)
    slope = (own - other) / true
    weight = np.vstack([head.weight, slope * direction]).astype(np.float32)
    return LinearHead(weight, np.append(head.bias, other - slope * float(direction @ middle)).astype(np.float32))
