"""``clip-mlp``: a small network on frozen features, the baseline of paper 2's group."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from ...benchmark.method import MethodCard, register_method
from ..classifier import SoftmaxHead
from ..encoder_classifier import EncoderClassifier
from ..encoder_method import RESAMPLING
from ..encoders.clip import CLIP_LARGE
from ..precision import FLOAT32
from ..trained import AttributionModel
from ..training import Recipe

WIDTHS = (512, 256)


@register_method("clip-mlp")
class ClipMlp(EncoderClassifier):
    """CLIP joint embedding (768-d, unit norm) -> 512 -> 256 with ReLU -> classes, cross-entropy."""

    without_clip = "MLP probe"
    defaults: ClassVar[dict[str, Any]] = {
        "encoder": f"clip:{CLIP_LARGE}",
        "layer": "",
        "epochs": 1000,
        "batch_size": 1 << 20,
        "lr": 1e-3,
        "weight_decay": 0.0,
        "precision": FLOAT32,
        "patience": 10,
    }
    card = MethodCard(
        title="CLIP + MLP",
        paper="Bongini et al., WIFS 2025 (paper 2), trained baseline; recipe of the group's public demonstrator",
        url="https://arxiv.org/abs/2510.24278",
        reproduction="full",
        differs="",
        faithful=[
            "ViT-L/14 at 336 px, joint embedding of 768 numbers, unit norm; 512 and 256 ReLU units",
            "Adam 1e-3, the whole training set in one batch, at most 1000 epochs, patience 10 on the validation loss",
        ],
        deviations=[
            RESAMPLING,
            "classes balanced by under-sampling, drawn anew each epoch, as for every method here",
            "rejection rules other than 'never' are ours",
        ],
        licence="Apache-2.0 (own code); CLIP's weights are MIT and not shipped",
        published={},
        input_range="0..1, then CLIP's mean and standard deviation",
    )

    def build(self, n_classes: int, size: int) -> AttributionModel:
        first, second = WIDTHS
        layers = [nn.Linear(self.dim, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()]
        return AttributionModel(nn.Sequential(*layers), SoftmaxHead(second, n_classes))

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam."""
        o = self.options
        return torch.optim.Adam(self.model.parameters(), lr=o["lr"], weight_decay=o["weight_decay"], fused=True)

    def recipe(self, epochs: int) -> Recipe:
        return Recipe(epochs, monitor="loss", patience=self.options["patience"])
