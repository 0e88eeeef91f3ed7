"""Rejection rules: how a trained network says "unknown".

Rules see cached features and logits only, never images, so one training run yields a row for every rule. A module
here that registers a rule is imported when the rule is asked for. All scores are higher for images that look seen.

=====================  ==========================================================  ====================
rule                   known score                                                 learns from
=====================  ==========================================================  ====================
never                  constant: accept everything                                 -
msp                    largest softmax probability                                 -
max-logit              largest logit                                               -
energy                 log-sum-exp of the logits                                   -
entropy                minus the generalised entropy of the softmax                -
openmax                odds of the seen classes after revising the logits          training logits
centroid-sigma         -d / sigma to the candidate's centroid (paper 1)            training features
mahalanobis            -squared distance to the nearest class, shared covariance   training features
relative-mahalanobis   the same, less the distance to all images together          training features
knn                    -distance to the k-th nearest training image                training features
vim                    energy, less the length outside the principal space         features, last layer
conformal              largest class-conditional p-value of the logits             validation logits
=====================  ==========================================================  ====================

The candidate, accepted or not, is the arg max of the logits for all of them.
"""

from .rule import (
    Activations,
    LinearHead,
    RejectionRule,
    build_rule,
    normalised_distances,
    register_rule,
    rule_class,
    rule_names,
)

__all__ = [
    "Activations",
    "LinearHead",
    "RejectionRule",
    "build_rule",
    "normalised_distances",
    "register_rule",
    "rule_class",
    "rule_names",
]
