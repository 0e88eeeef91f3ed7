"""``clip-linear``: logistic regression on frozen features, as in UniversalAttribution (ECCV workshops 2024)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from ...benchmark.images import ImageSet
from ...benchmark.method import Context, MethodCard, register_method
from ...benchmark.options import at_least
from ..classifier import SoftmaxHead
from ..encoder_classifier import EncoderClassifier
from ..encoder_method import RESAMPLING
from ..encoders.clip import CLIP_LARGE
from ..trained import AttributionModel
from ..training import seeded_torch
from ..training_images import check_training_images

STRENGTHS = (1.0, 10.0, 100.0, 1000.0)


@register_method("clip-linear")
class ClipLinear(EncoderClassifier):
    """Multinomial logistic regression on unit-norm features; the penalty is chosen on seen validation images.

    ``strength``: inverse penalty (scikit-learn's C), 0 to choose among 1, 10, 100 and 1000.
    """

    without_clip = "linear probe"
    defaults: ClassVar[dict[str, Any]] = {
        "encoder": f"clip:{CLIP_LARGE}",
        "layer": "",
        "strength": 0.0,
        "iterations": 1000,
        "batch_size": 256,
    }
    limits = {"strength": at_least(0), "iterations": at_least(1), "batch_size": at_least(1)}
    card = MethodCard(
        title="CLIP + linear classifier",
        paper="Cioni et al., Are CLIP features all you need for universal synthetic image origin attribution?, "
        "ECCV workshops 2024",
        url="https://arxiv.org/abs/2408.09153",
        reproduction="partial",
        differs="the joint embedding instead of a chosen block in the middle (layer=blockK takes one)",
        faithful=["frozen CLIP image encoder, logistic regression on its features"],
        deviations=[
            RESAMPLING,
            "the joint embedding of ViT-L/14 at 336 px; the paper takes a chosen block in the middle (layer=blockK)",
            "the penalty is chosen on seen validation images; classes are weighted instead of under-sampled",
            "rejection rules other than 'never' are ours",
        ],
        licence="Apache-2.0 (own code); CLIP's weights are MIT and not shipped",
        published={},
        input_range="0..1, then CLIP's mean and standard deviation",
    )

    def build(self, n_classes: int, size: int) -> AttributionModel:
        return AttributionModel(nn.Identity(), SoftmaxHead(self.dim, n_classes))

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Solve the regression; there is nothing to resume but the features, which are cached."""
        check_training_images(train, val, context)
        self.device, self.class_names, self.crop_size = context.device, context.class_names, train.crop_size
        with seeded_torch(context.seed):
            self.model = self.build(len(context.class_names), train.crop_size).to(self.device)
        found, held_out = (self.activations(self.inputs(images, context, "")) for images in (train, val))
        self._solve(found.features, found.labels, held_out.features, held_out.labels)
        self.learn_rejection(*(self.activations(self.inputs(images, context, "")) for images in (train, val)))

    def _solve(self, x: np.ndarray, y: np.ndarray, held_out: np.ndarray, labels: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        strengths = [self.options["strength"]] if self.options["strength"] else STRENGTHS
        fitted = [
            LogisticRegression(C=c, max_iter=self.options["iterations"], class_weight="balanced").fit(x, y)
            for c in strengths
        ]
        best = max(fitted, key=lambda one: one.score(held_out, labels))
        weight, bias = best.coef_, best.intercept_
        if len(weight) == 1:  # two classes: scikit-learn keeps the difference only
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        linear: nn.Linear = self.model.head.linear  # type: ignore[assignment]
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
