"""``efficientnet-b4``: the plain EfficientNet classifier, a baseline of paper 2."""

from __future__ import annotations

from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from ...benchmark.method import MethodCard, register_method
from ...benchmark.options import at_least
from ..classifier import CLASSIFIER_DEFAULTS, Classifier, SoftmaxHead
from ..networks import build_network
from ..trained import AttributionModel


class DropoutSoftmaxHead(SoftmaxHead):
    """Dropout before the linear layer, in training only."""

    def __init__(self, embedding_dim: int, n_classes: int, dropout: float) -> None:
        super().__init__(embedding_dim, n_classes)
        self.dropout = dropout

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return super().loss(F.dropout(embeddings, self.dropout, self.training), labels)


@register_method("efficientnet-b4")
class EfficientNetB4Classifier(Classifier):
    """EfficientNet-B4 from scratch with cross-entropy on the seen generators."""

    network = "efficientnet-b4"
    defaults: ClassVar[dict[str, Any]] = {**CLASSIFIER_DEFAULTS, "flip": True, "dropout": 0.4}
    limits = {"dropout": at_least(0, at_most=0.99)}
    card = MethodCard(
        title="EfficientNet-B4 classifier",
        paper="Tan and Le, EfficientNet, ICML 2019; a trained baseline of Bongini et al., WIFS 2025",
        url="https://arxiv.org/abs/1905.11946",
        reproduction="partial",
        differs="from scratch; paper 2 says neither its recipe nor whether it starts from ImageNet weights",
        faithful=[
            (
                "architecture: B0's stages scaled by 1.4 in width and 1.8 in depth, 17.5 M parameters, squeeze-and-"
                "excitation, SiLU, stochastic depth 0.2, dropout 0.4, 1792-d features"
            ),
        ],
        deviations=[
            "random initialisation: no ImageNet weights are shipped or downloaded; paper 2 does not say which it used",
            (
                "paper 2 does not state its training recipe: the schedule of the other classifiers here (AdamW 7e-4, "
                "x0.6 every 2 epochs, batch 64, at most 30 epochs, early stopping after 5 without better validation "
                "accuracy), mirrored images, crops without resampling"
            ),
            "symmetric padding and batch-norm momentum 0.1 instead of TensorFlow's padding and 0.01",
            "rejection rules other than 'never' are ours; for centroid-sigma the candidate stays the arg max",
        ],
        licence="Apache-2.0 (own code)",
        published={},
        input_range="-1..1",
    )

    def build(self, n_classes: int, size: int) -> AttributionModel:
        network = build_network(self.network, size)
        self.input_range = network.input_range
        head = DropoutSoftmaxHead(network.embedding_dim, n_classes, self.options["dropout"])
        return AttributionModel(network, head)
