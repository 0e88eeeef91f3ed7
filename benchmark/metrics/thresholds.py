"""Where to cut: rules that choose the threshold from seen validation images, and oracle rules for diagnosis only.

An image is accepted iff ``known_score >= threshold``, everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...core.errors import unknown_name
from .curves import af1_crr_curve
from .outcome import Outcome, finite_scores
from .rates import f1_at
from .tally import Tally, at_least, mean_over_groups


def accept_threshold(val_known_scores: ArrayLike, rate: float = 0.95) -> float:
    """The largest threshold that accepts at least `rate` of the seen validation images.

    An exact order statistic, without interpolation: of n scores it is the k-th largest, k = the smallest integer with
    k / n >= rate, where `rate` means its decimal digits (19 of 20 images are 0.95). Images tied with that score are all
    accepted, so more than `rate` may be accepted, but never less; no larger threshold accepts enough.

    Parameters
    ----------
    val_known_scores: (n,) finite known_scores of the seen validation images.
    rate: in 0 < rate <= 1.

    Raises
    ------
    RunError: no score, or one that is not finite. ValueError: rate out of range.
    """
    scores = np.sort(finite_scores("validation known_score", val_known_scores))
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"an acceptance rate lies in 0 < rate <= 1, not {rate}.")
    return float(scores[len(scores) - int(at_least(rate, len(scores)))])


@dataclass(frozen=True)
class ThresholdRule:
    """A way to choose the threshold.

    Attributes
    ----------
    oracle: the rule looks at test images, unseen ones included. Its numbers are shown as such and never ranked.
    choose: from the validation outcome (n_unseen = 0), or from the test outcome if `oracle`, to the threshold.
    """

    name: str
    description: str
    oracle: bool
    choose: Callable[[Outcome], float]


def _accept_95(validation: Outcome) -> float:
    return accept_threshold(validation.known_score, 0.95)


def _f1_max(validation: Outcome) -> float:
    tally = Tally(validation)
    values = mean_over_groups(f1_at(tally, np.arange(tally.levels)))[0]
    return float(validation.ranking[0][np.flatnonzero(values == values.max())[-1]])


def _harmonic_max(test: Outcome) -> float:
    thresholds, crr, af1 = af1_crr_curve(test)
    values = 2 * crr * af1 / np.maximum(crr + af1, np.finfo(float).tiny)
    return float(thresholds[:-1][np.flatnonzero(values[:-1] == values[:-1].max())[-1]])


THRESHOLD_RULES: dict[str, ThresholdRule] = {
    rule.name: rule
    for rule in (
        ThresholdRule("accept-95", "accepts 95 % of the seen validation images", False, _accept_95),
        ThresholdRule(
            "f1-max-val", "largest threshold with the best aF1 over the seen validation images", False, _f1_max
        ),
        ThresholdRule(
            "oracle-harmonic", "best harmonic mean of aF1 and CRR on the test images themselves", True, _harmonic_max
        ),
    )
}


def threshold_rule(name: str) -> ThresholdRule:
    """The rule of that name; UsageError lists those that exist."""
    if name not in THRESHOLD_RULES:
        raise unknown_name("threshold rule", name, THRESHOLD_RULES)
    return THRESHOLD_RULES[name]


def choose_threshold(name: str, validation: Outcome, test: Outcome | None = None) -> float:
    """The threshold that the rule `name` chooses; `test` is looked at by oracle rules only.

    Raises
    ------
    UsageError: unknown rule. ValueError: an oracle rule without test images, or unseen images in validation.
    """
    rule = threshold_rule(name)
    if rule.oracle:
        if test is None:
            raise ValueError(f"the oracle rule '{name}' needs the test outcome.")
        return rule.choose(test)
    if validation.n_unseen:
        raise ValueError("a threshold is chosen on seen validation images; these include unseen generators.")
    return rule.choose(validation)
