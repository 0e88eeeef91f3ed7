"""Rules that choose the threshold from seen validation images, and oracle rules for diagnosis only.

An image is accepted iff ``known_score >= threshold``, everywhere. A rule is one module of this package, with one
function under :func:`register_threshold`; other packages register theirs by entry points of ``osbench.thresholds``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ....core.registry import Registry
from ..outcome import Outcome, finite_scores
from ..tally import at_least


def accept_threshold(val_known_scores: ArrayLike, rate: float = 0.95) -> float:
    """The largest threshold that accepts at least `rate` of the seen validation images.

    An exact order statistic, without interpolation: of n scores it is the k-th largest, k = the smallest integer with
    k / n >= rate, where `rate` means its decimal digits (19 of 20 images are 0.95). Images tied with that score are all
    accepted, so more than `rate` may be accepted, but never less; no larger threshold accepts enough.

    Parameters
    ----------
    val_known_scores : array_like
        (n,) finite known_scores of the seen validation images.
    rate : float, optional
        In 0 < rate <= 1.

    Returns
    -------
    float
        One of the scores.

    Raises
    ------
    RunError
        No score, or one that is not finite.
    ValueError
        Rate out of range.

    Examples
    --------
    >>> accept_threshold(range(20))
    1.0
    >>> accept_threshold([3, 1, 2], rate=1.0)
    1.0
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
    oracle : bool
        The rule looks at test images, unseen ones included. Its numbers are shown as such and never ranked.
    choose : callable
        From the validation outcome (n_unseen = 0), or from the test outcome if `oracle`, to the threshold.
    """

    name: str
    description: str
    oracle: bool
    choose: Callable[[Outcome], float]


_RULES: Registry[ThresholdRule] = Registry("threshold rule", "osbench.thresholds")

Chooser = Callable[[Outcome], float]


def register_threshold(name: str, description: str, *, oracle: bool = False) -> Callable[[Chooser], Chooser]:
    """Decorator of the function that chooses: make a threshold rule known under ``name``."""

    def register(choose: Chooser) -> Chooser:
        _RULES.add(name, ThresholdRule(name, description, oracle, choose))
        return choose

    return register


def threshold_names() -> list[str]:
    """Names of all threshold rules, sorted; none is imported for it."""
    return _RULES.names()


def threshold_rule(name: str) -> ThresholdRule:
    """The rule of that name; UsageError lists those that exist."""
    return _RULES.get(name)


def choose_threshold(name: str, validation: Outcome, test: Outcome | None = None) -> float:
    """The threshold that the rule `name` chooses; only oracle rules use `test`.

    Raises
    ------
    UsageError
        Unknown rule.
    ValueError
        An oracle rule without test images, or unseen images in validation.
    """
    rule = threshold_rule(name)
    if rule.oracle:
        if test is None:
            raise ValueError(f"the oracle rule '{name}' needs the test outcome.")
        return rule.choose(test)
    if validation.n_unseen:
        raise ValueError("a threshold is chosen on seen validation images; these include unseen generators.")
    return rule.choose(validation)
