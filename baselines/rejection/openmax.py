"""OpenMax (Bendale and Boult, CVPR 2016): logits revised by how extreme their distance to the class mean is."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from ...core.errors import RunError
from .rule import Activations, LinearHead, RejectionRule, register_rule

TAIL = 20
ALPHA = 3
TRANSLATION = 10_000.0
"""What libMR, the library of the authors, adds to a tail before it fits the Weibull distribution."""
_STEEPEST = 1e12


@register_rule("openmax")
class OpenMax(RejectionRule):
    """The log-odds of "any seen class" against the extra class "unknown".

    Per class: the mean logit vector of its correctly classified training images, and a Weibull distribution of the 20
    largest Euclidean distances to it. The three largest logits (all, if there are fewer) lose a share that grows with
    the Weibull probability of their distance, 1, 2/3 and 1/3 of it; what they lose is the logit of "unknown". The
    candidate stays the arg max of the unrevised logits. Not corrected: a negative logit among them *gains* by the
    revision, as in the original. A class without a correct image is described by all of its images.
    """

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        logits = train.logits.astype(np.float64)
        n_classes = logits.shape[1]
        means, weibulls = np.zeros((n_classes, n_classes)), np.zeros((n_classes, 3))
        for k in range(n_classes):
            own = train.labels == k
            correct = own & (logits.argmax(1) == k)
            chosen = logits[correct if correct.any() else own]
            if not len(chosen):
                raise RunError(f"class {k} has no training image; OpenMax cannot describe it")
            means[k] = chosen.mean(0)
            weibulls[k] = fit_weibull(np.linalg.norm(chosen - means[k], axis=1))
        self.arrays = {"means": means, "weibulls": weibulls}

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        z = logits.astype(np.float64)
        means, weibulls = self.arrays["means"], self.arrays["weibulls"]
        distances = np.stack([np.linalg.norm(z - mean, axis=1) for mean in means], axis=1)
        extreme = weibull_cdf(distances, weibulls)
        alpha = min(ALPHA, z.shape[1])
        rank = np.argsort(np.argsort(-z, axis=1, kind="stable"), axis=1)
        lost = z * extreme * np.maximum(0.0, 1.0 - rank / alpha)
        return logsumexp(z - lost, axis=1) - lost.sum(1)


def fit_weibull(distances: np.ndarray) -> tuple[float, float, float]:
    """(start, shape, location) of the 20 largest of ``distances`` (N,), by maximum likelihood, as libMR fits them.

    With u = log(1 + (d - start) / 10000) the distribution is 1 - exp(-exp(shape (u - location))); ``start`` is the
    smallest distance of the tail. A tail without any deviation gives a step at ``start``.
    """
    tail = np.sort(distances.astype(np.float64))[-TAIL:]
    u = np.log1p((tail - tail[0]) / TRANSLATION)
    sigma = u.std()
    shape = _STEEPEST
    if sigma > 0:
        shape = min(_STEEPEST, float(brentq(_slope, 1e-3 / sigma, 1e3 / sigma, args=(u,))))  # type: ignore[arg-type]
    return float(tail[0]), shape, float(logsumexp(shape * u) - np.log(len(u))) / shape


def _slope(shape: float, u: np.ndarray) -> float:
    """Zero where the likelihood of the Weibull shape is largest; increasing in ``shape``."""
    weight = np.exp(shape * (u - u.max()))
    return float((weight @ u) / weight.sum() - 1.0 / shape - u.mean())


def weibull_cdf(distances: np.ndarray, weibulls: np.ndarray) -> np.ndarray:
    """How extreme distances (N, K) are, in [0, 1], under K distributions (K, 3) of :func:`fit_weibull`."""
    start, shape, location = weibulls.T
    u = np.log1p(np.maximum((distances - start) / TRANSLATION, -1.0 + 1e-12))
    return -np.expm1(-np.exp(np.minimum(shape * (u - location), 700.0)))
