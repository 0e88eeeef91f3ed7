"""``clip-lora``: low-rank adaptation of both encoders of CLIP (Zanella and Ben Ayed, CVPR workshops 2024)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...benchmark.images import ImageSet
from ...benchmark.method import Context, MethodCard, register_method
from ...benchmark.options import above, at_least
from ...core.errors import UsageError
from ..classifier import SoftmaxHead
from ..encoder_classifier import EncoderClassifier
from ..encoder_method import RESAMPLING
from ..encoders import Encoder, build_encoder
from ..encoders.clip import CLIP_BASE_16, Clip, load_model
from ..encoders.efficientnet_lite0 import EfficientNetLite0Encoder
from ..inputs import Inputs
from ..low_rank import ATTENTION, NO_PEFT, AdaptedConvolutions, AdaptedModel, with_lora
from ..precision import FLOAT32
from ..rejection import LinearHead
from ..trained import AttributionModel
from ..training import Recipe

TEMPLATE = "a photo of a {}."
ADAPTABLE = (Clip, EfficientNetLite0Encoder)


class ImageTower(nn.Module):
    """(B, 3, size, size) -> unit-norm joint embeddings (B, D)."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.vision_model, self.visual_projection = clip.vision_model, clip.visual_projection

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.vision_model(pixel_values=images).pooler_output
        return F.normalize(self.visual_projection(pooled), dim=-1)


class TextHead(nn.Module):
    """Cosine to the embedding of each class's sentence, times CLIP's own scale."""

    def __init__(self, clip: Any, tokens: dict[str, Tensor]) -> None:
        super().__init__()
        self.text_model, self.text_projection = clip.text_model, clip.text_projection
        self.logit_scale = clip.logit_scale
        self.register_buffer("input_ids", tokens["input_ids"], persistent=False)
        self.register_buffer("attention_mask", tokens["attention_mask"], persistent=False)
        self._known: Tensor | None = None

    def class_embeddings(self) -> Tensor:
        """(K, D), unit norm. While training they change with every step, afterwards they are computed once."""
        if self.training or self._known is None or self._known.device != self.logit_scale.device:
            pooled = self.text_model(input_ids=self.input_ids, attention_mask=self.attention_mask).pooler_output
            self._known = F.normalize(self.text_projection(pooled), dim=-1)
        return self._known

    def train(self, mode: bool = True) -> TextHead:
        self._known = None
        return super().train(mode)

    def embed(self, features: Tensor) -> Tensor:
        """The features themselves."""
        return features

    def logits(self, embeddings: Tensor) -> Tensor:
        """(B, K)."""
        return self.logit_scale.exp() * embeddings @ self.class_embeddings().T

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy, mean over the batch."""
        return F.cross_entropy(self.logits(embeddings), labels)


@register_method("clip-lora")
class ClipLora(EncoderClassifier):
    """Rank-2 updates of the query, key and value matrices of both encoders; classes are named in a sentence.

    With ``encoder=efficientnet-lite0`` such updates go to its 1 x 1 convolutions, and a linear layer takes the place of
    the sentences. Needs peft: ``pip install "osbench[clip]"``.
    """

    without_clip = "low-rank adaptation"
    defaults: ClassVar[dict[str, Any]] = {
        "encoder": f"clip:{CLIP_BASE_16}",
        "layer": "",
        "rank": 2,
        "alpha": 1.0,
        "dropout": 0.25,
        "epochs": 10,
        "batch_size": 32,
        "lr": 2e-4,
        "weight_decay": 0.01,
        "precision": FLOAT32,
    }
    limits = {"rank": at_least(1), "alpha": above(0), "dropout": at_least(0, at_most=0.99)}
    card = MethodCard(
        title="CLIP-LoRA",
        paper="Zanella and Ben Ayed, Low-rank few-shot adaptation of vision-language models, CVPR workshops 2024",
        url="https://arxiv.org/abs/2405.18541",
        reproduction="partial",
        differs="10 epochs over the training set instead of 500 iterations per shot, without random crops and flips",
        faithful=[
            "ViT-B/16, rank 2, alpha 1, dropout 0.25 on query, key and value of all layers of both encoders",
            "AdamW 2e-4, weight decay 0.01, cosine schedule, batch 32",
            "cross-entropy on scaled cosines to the sentences 'a photo of a CLASS.'",
        ],
        deviations=[
            RESAMPLING,
            (
                "10 epochs over the balanced training set, where the paper counts 500 iterations per shot; the cosine "
                "falls epoch by epoch towards 0, not step by step to 1e-6"
            ),
            "no random crops or flips while training; they would resample once more",
            "the class names are those of generators, which mean nothing to CLIP",
            "the epoch with the best accuracy on seen validation images is kept",
            "rejection rules other than 'never' are ours",
        ],
        licence="Apache-2.0 (own code); CLIP's weights are MIT and not shipped",
        published={},
        input_range="0..1, then CLIP's mean and standard deviation",
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        encoder = build_encoder(self.options["encoder"])
        if not isinstance(encoder, ADAPTABLE):
            raise UsageError(f"clip-lora adapts the encoders clip and efficientnet-lite0, not {encoder.label}.")
        if isinstance(encoder, Clip) and self.options["layer"]:
            raise UsageError("clip-lora adapts CLIP's joint embedding: leave option layer out.")

    def missing(self) -> str | None:
        return super().missing() or (None if find_spec("peft") else NO_PEFT)

    def build(self, n_classes: int, size: int) -> AttributionModel:
        encoder = self.encoder
        if isinstance(encoder, EfficientNetLite0Encoder):
            network = AdaptedConvolutions(encoder, self.layer, self.options)
            return AdaptedModel(network, SoftmaxHead(self.dim, n_classes))
        assert isinstance(encoder, Clip)
        model = with_lora(load_model(encoder.folder), self.options, list(ATTENTION))
        sentences = [TEMPLATE.format(name.replace("_", " ")) for name in self.class_names]
        return AdaptedModel(ImageTower(model), TextHead(model, encoder.tokens(sentences)))

    def convert(self, images: np.ndarray) -> Tensor:
        encoder = self.encoder
        assert isinstance(encoder, ADAPTABLE)
        return encoder.inputs(images)

    def deviation(self, encoder: Encoder) -> str:
        return (
            f"{super().deviation(encoder)}; the updates go to the 1 x 1 convolutions, batch normalisation keeps its "
            "statistics, and a trained linear layer stands in for the sentences' embeddings"
        )

    def inputs(self, images: ImageSet, context: Context, name: str) -> Inputs:
        """Images: unlike the other methods on CLIP, this one trains the encoders, so no feature can be kept."""
        return Inputs(images, self.convert)

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW on the low-rank matrices."""
        o = self.options
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trained, lr=o["lr"], weight_decay=o["weight_decay"], fused=True)

    def recipe(self, epochs: int) -> Recipe:
        return Recipe(epochs, cosine=True)

    @torch.inference_mode()
    def linear_head(self) -> LinearHead:
        """The last layer; on CLIP the sentences' embeddings, without bias."""
        head = self.model.head
        if not isinstance(head, TextHead):
            return super().linear_head()
        weight = head.logit_scale.exp() * head.class_embeddings()
        return LinearHead(weight.float().cpu().numpy(), np.zeros(len(weight), np.float32))
