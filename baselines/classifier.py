"""Closed-set classifiers with cross-entropy, and every rejection rule on top of them."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import log_softmax
from torch import Tensor, nn

from ..benchmark.method import Scores
from .imprinting import imprinted
from .networks import build_network, scale_pixels
from .rejection import Activations, LinearHead, RejectionRule, build_rule, normalised_distances, rule_names
from .trained import TRAINING_DEFAULTS, AttributionModel, TrainedMethod
from .training import Recipe

CLASSIFIER_DEFAULTS: dict[str, Any] = {**TRAINING_DEFAULTS, "patience": 5}
"""Training stops after ``patience`` epochs without better accuracy on seen validation images."""


class SoftmaxHead(nn.Module):
    """A linear layer and cross-entropy."""

    def __init__(self, embedding_dim: int, n_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embedding_dim, n_classes)

    def with_layer(self, layer: LinearHead) -> Self:
        """A copy of this head with another last layer."""
        joined = copy.deepcopy(self)
        joined.linear = nn.Linear(layer.weight.shape[1], len(layer.weight), device=self.linear.weight.device)
        with torch.no_grad():
            joined.linear.weight.copy_(torch.from_numpy(layer.weight))
            joined.linear.bias.copy_(torch.from_numpy(layer.bias))
        return joined

    def embed(self, features: Tensor) -> Tensor:
        """The features themselves."""
        return features

    def logits(self, embeddings: Tensor) -> Tensor:
        """(B, K)."""
        return self.linear(embeddings)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy, mean over the batch."""
        return F.cross_entropy(self.linear(embeddings), labels)


class Classifier(TrainedMethod):
    """A network with a :class:`SoftmaxHead`. ``class_scores`` are log-probabilities, ``known_score`` is the rule's.

    The candidate is the arg max of the logits for every rule, the centroid rule included. Every registered rule is
    fitted and saved with the model, whichever are asked for now: from cached activations that takes seconds, and a
    later question about another rule needs no training. (For 2048 features: about 4 s and 45 MB for all of them.)
    """

    rejections: ClassVar[tuple[str, ...]] = rule_names()
    normalised_distances: ClassVar[tuple[str, ...]] = normalised_distances()
    network: ClassVar[str]
    defaults: ClassVar[dict[str, Any]] = CLASSIFIER_DEFAULTS

    rules: dict[str, RejectionRule]

    def build(self, n_classes: int, size: int) -> AttributionModel:
        network = build_network(self.network, size)
        self.input_range = network.input_range
        return AttributionModel(network, SoftmaxHead(network.embedding_dim, n_classes))

    def convert(self, images: np.ndarray) -> Tensor:
        return scale_pixels(images, self.input_range, self.device)

    def recipe(self, epochs: int) -> Recipe:
        o = self.options
        return Recipe(epochs, lr_decay=o["lr_decay"], decay_every=o["decay_every"], patience=o["patience"])

    def linear_head(self) -> LinearHead:
        """The last layer, for the rules that look at it."""
        linear: nn.Linear = self.model.head.linear  # type: ignore[assignment]
        return LinearHead(linear.weight.detach().cpu().numpy(), linear.bias.detach().cpu().numpy())

    def rule(self, name: str, arrays: dict[str, np.ndarray] | None = None) -> RejectionRule:
        """The rule of a name; methods with a rule of their own add it here."""
        return build_rule(name, arrays)

    def learn_rejection(self, train: Activations, val: Activations) -> None:
        self.rules = {name: self.rule(name) for name in self.rejections}
        for rule in self.rules.values():
            rule.fit(train, val, self.linear_head())

    def answer(self, features: np.ndarray, logits: np.ndarray) -> dict[str, Scores]:
        class_scores = log_softmax(logits.astype(np.float64), axis=1)
        return {
            name: Scores(class_scores, rule.known_score(features, logits), rule.candidate(logits))
            for name, rule in self.rules.items()
        }

    def enroll(self, images: np.ndarray, class_name: str) -> Self:
        """A row more of the last layer (:func:`.imprinting.imprinted`), and every rule that can describe it.

        UsageError where there is no linear last layer, or no class means were saved.
        """
        head = self.model.head
        if not isinstance(head, SoftmaxHead) or not {"centroid-sigma", "mahalanobis"} <= set(self.rules):
            return super().enroll(images, class_name)
        features = self.embed(images)
        old = self.linear_head()
        new = imprinted(old, self.rules["centroid-sigma"].arrays["centroids"], features, self.rules["mahalanobis"])
        joined = self.with_class(class_name)
        joined.model = AttributionModel(self.model.network, head.with_layer(new))
        joined.rules = {name: rule for name, own in self.rules.items() if (rule := own.enroll(features)) is not None}
        joined.rejections = tuple(joined.rules)  # type: ignore[misc]
        return joined

    def arrays(self) -> dict[str, np.ndarray]:
        return {f"{name}.{key}": value for name, rule in self.rules.items() for key, value in rule.arrays.items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        grouped: dict[str, dict[str, np.ndarray]] = {name: {} for name in self.rejections}
        for key, value in arrays.items():
            rule, _, array = key.partition(".")
            grouped[rule][array] = value
        self.rules = {name: self.rule(name, own) for name, own in grouped.items()}
