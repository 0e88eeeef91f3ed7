"""What a rejection rule is, and how one is built by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

import numpy as np

from ...core.registry import Registry
from .feature_space import compact


@dataclass(frozen=True)
class Activations:
    """What a network says about N images: features (N, D) float32, logits (N, K) float32, labels (N,) int64."""

    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray

    @cached_property
    def compact(self) -> np.ndarray:
        """The features under :func:`compact`, which several rules learn from: made once."""
        return compact(self.features)


@dataclass(frozen=True)
class LinearHead:
    """The last layer, logits = features @ weight.T + bias: weight (K, D), bias (K,), float32."""

    weight: np.ndarray
    bias: np.ndarray


class RejectionRule(ABC):
    """Turns features and logits into ``known_score``: higher = more likely made by a seen generator.

    ``arrays`` holds everything that :meth:`fit` learned, by name; saving a rule is saving these arrays.
    ``normalised_distance``: whether the score is minus a distance divided by the standard deviation of its class.
    """

    name: ClassVar[str]
    normalised_distance: ClassVar[bool] = False

    def __init__(self, arrays: dict[str, np.ndarray] | None = None) -> None:
        self.arrays: dict[str, np.ndarray] = dict(arrays or {})

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        """Learn from training images; ``held_out`` are validation images of the same seen classes (for calibration).

        ``head`` is ``None`` for methods without a linear last layer. Rules without parameters keep this method.
        """
        self.arrays = {}

    def enroll(self, features: np.ndarray) -> RejectionRule | None:
        """This rule for one class more, the last, of which n images show their features (n, D).

        None: it cannot describe a class by a few images; such a rule gives no answers from then on. Rules that learned
        nothing need nothing.
        """
        return None if self.arrays else self

    @abstractmethod
    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """(N,) float64 from features (N, D) and logits (N, K)."""

    def candidate(self, logits: np.ndarray) -> np.ndarray:
        """(N,) int64: the class that is accepted or rejected. For every rule the arg max of the logits."""
        return logits.argmax(1)


_RULES: Registry[type[RejectionRule]] = Registry("rejection rule", "osbench.rejections")
R = TypeVar("R", bound=type[RejectionRule])


def register_rule(name: str) -> Callable[[R], R]:
    """Class decorator: make a rule known under ``name``."""

    def register(cls: R) -> R:
        _RULES.add(name, cls)
        cls.name = name
        return cls

    return register


def rule_names() -> tuple[str, ...]:
    """Names of all rules, sorted; none is imported for it."""
    return tuple(_RULES.names())


def rule_class(name: str) -> type[RejectionRule]:
    """The class of the rule called ``name``; :class:`UsageError` for an unknown name."""
    return _RULES.get(name)


def normalised_distances() -> tuple[str, ...]:
    """The registered rules whose score is minus a distance divided by the standard deviation of its class."""
    return tuple(name for name in rule_names() if rule_class(name).normalised_distance)


def build_rule(name: str, arrays: dict[str, np.ndarray] | None = None) -> RejectionRule:
    """The rule called ``name``, restored from ``arrays`` if given. :class:`UsageError` for an unknown name."""
    return rule_class(name)(arrays)
