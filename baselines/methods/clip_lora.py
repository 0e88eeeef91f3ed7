"""``clip-lora``: low-rank adaptation of both CLIP encoders (Zanella and Ben Ayed, CVPR workshops 2024)."""

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
from ..clip_classifier import ClipClassifier
from ..clip_features import CLIP_BASE_16, RESAMPLING, load_model
from ..inputs import Inputs
from ..precision import FLOAT32
from ..rejection import LinearHead
from ..trained import AttributionModel
from ..training import Recipe

TEMPLATE = "a photo of a {}."
TARGETS = ["q_proj", "k_proj", "v_proj"]
NO_PEFT = 'clip-lora needs peft: pip install "osbench[clip]".'


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


class AdaptedModel(AttributionModel):
    """Its state is the trained part alone, so that neither checkpoints nor saved methods contain CLIP."""

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        return {name: t for name, t in super().state_dict(*args, **kwargs).items() if name in trained}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        expected = {name: t.shape for name, t in self.state_dict().items()}
        if {name: t.shape for name, t in state_dict.items()} != expected:
            raise RuntimeError("these low-rank matrices belong to another network or rank")
        return super().load_state_dict(state_dict, strict=False, assign=assign)


@register_method("clip-lora")
class ClipLora(ClipClassifier):
    """Rank-2 updates of the query, key and value matrices of both encoders; classes are named in a sentence.

    Needs peft: ``pip install "osbench[clip]"``.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "clip": CLIP_BASE_16,
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

    def missing(self) -> str | None:
        return super().missing() or (None if find_spec("peft") else NO_PEFT)

    def build(self, n_classes: int, size: int) -> AttributionModel:
        model = with_lora(load_model(self.clip.folder), self.options)
        sentences = [TEMPLATE.format(name.replace("_", " ")) for name in self.class_names]
        return AdaptedModel(ImageTower(model), TextHead(model, self.clip.tokens(sentences)))

    def convert(self, images: np.ndarray) -> Tensor:
        return self.clip.inputs(images)

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
        """The sentences' embeddings as a last layer without bias."""
        head: TextHead = self.model.head  # type: ignore[assignment]
        weight = head.logit_scale.exp() * head.class_embeddings()
        return LinearHead(weight.float().cpu().numpy(), np.zeros(len(weight), np.float32))


def with_lora(model: Any, options: dict[str, Any]) -> Any:
    """A CLIPModel with low-rank updates, of which nothing else is trainable. UsageError if peft is not installed."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UsageError(NO_PEFT) from error
    config = LoraConfig(
        r=options["rank"], lora_alpha=options["alpha"], lora_dropout=options["dropout"], target_modules=TARGETS
    )
    return get_peft_model(model, config).base_model.model
