"""``exif-net``: EXIF self-consistency (Huh et al., ECCV 2018) with paper 1's open-set rule."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...benchmark.method import MethodCard, register_method
from ...core.errors import RunError, UsageError
from ..exif_attributes import COUNT, UNKNOWN, camera_codes, draw_treatments, treat, unknown_cameras
from ..networks import scale_pixels
from ..networks.resnet50_v2 import ResNet50V2
from ..pairwise import CAMERAS, PAIR_DEFAULTS, Crops, PairHead, PairwiseMethod, binary_loss, draw_same, interleaved
from ..published_pairs import exif_net_tensors
from ..tf_checkpoint import TensorBundle
from ..trained import AttributionModel
from ..training import Recipe

CHUNK = 16 << 20
"""Numbers in the widest intermediate array of :meth:`ConsistencyHead.against`."""


class ConsistencyHead(PairHead):
    """[f_a, f_b] -> 4096 -> 2048 -> 1024 with ReLU -> 83 attributes, whose logits -> 512 with ReLU -> 1.

    The last logit says "same image"; it is what paper 1's rule uses.
    """

    def __init__(self, n_classes: int, dim: int, widths: tuple[int, int, int] = (4096, 2048, 1024)) -> None:
        super().__init__(n_classes, dim)
        self.fc1 = nn.Linear(2 * dim, widths[0])
        self.fc2 = nn.Linear(widths[0], widths[1])
        self.fc3 = nn.Linear(widths[1], widths[2])
        self.attributes = nn.Linear(widths[2], COUNT)
        self.classify1 = nn.Linear(COUNT, 512)
        self.classify2 = nn.Linear(512, 1)
        for layer in (self.fc1, self.fc2, self.fc3, self.attributes, self.classify1, self.classify2):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def attribute_logits(self, a: Tensor, b: Tensor) -> Tensor:
        """(P, 83): which attributes the two images of each pair share."""
        return self._attributes(self.fc1(torch.cat([a, b], dim=1)))

    def pairwise(self, a: Tensor, b: Tensor) -> Tensor:
        return self.consistency(self.attribute_logits(a, b))

    def against(self, queries: Tensor, references: Tensor) -> Tensor:
        """The first layer is W [f_a; f_b] = W_a f_a + W_b f_b: each half is computed once per image."""
        w_a, w_b = self.fc1.weight.split(queries.shape[1], dim=1)
        of_queries, of_references = queries @ w_a.T, references @ w_b.T + self.fc1.bias
        parts = []
        for some in of_references.split(max(1, CHUNK // max(1, of_queries.numel()))):
            joined = (of_queries[:, None] + some).flatten(0, 1)
            parts.append(self.consistency(self._attributes(joined)).unflatten(0, (-1, len(some))))
        return torch.cat(parts, dim=1)

    def consistency(self, attribute_logits: Tensor) -> Tensor:
        """Logit of "same image" (P,) from attribute logits (P, 83), not from probabilities, as published."""
        return self.classify2(F.relu(self.classify1(attribute_logits))).squeeze(-1)

    def _attributes(self, joined: Tensor) -> Tensor:
        return self.attributes(F.relu(self.fc3(F.relu(self.fc2(F.relu(joined))))))

    def same(self, labels: Tensor) -> Tensor:
        return labels[0::2, COUNT] == labels[1::2, COUNT]

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the attributes that are known for both images, plus that of "same image".

        The second does not reach below the attributes: published, it is trained on frozen ones.
        """
        logits = self.attribute_logits(embeddings[0::2], embeddings[1::2])
        ours, theirs = labels[0::2, :COUNT], labels[1::2, :COUNT]
        known = (ours != UNKNOWN) & (theirs != UNKNOWN)
        shared = binary_loss(logits[known], (ours == theirs)[known])
        return shared + binary_loss(self.consistency(logits.detach()), self.same(labels))


@register_method("exif-net")
class ExifNet(PairwiseMethod):
    """Siamese ResNet-50 v2 (4096-d) that predicts whether two patches share 83 attributes, hence a source.

    ``weights="retrained"`` (default) trains it on virtual cameras, whose parameters take the place of EXIF tags;
    ``weights=PREFIX`` reads the published checkpoint (``exif_final.ckpt``) and trains nothing. ``trained_on="seen"``
    trains on the seen generators' images, of which one attribute is known, the generator.
    """

    defaults: ClassVar[dict[str, Any]] = {
        **PAIR_DEFAULTS,
        "epochs": 5,
        "batch_size": 128,
        "lr": 1e-4,
        "lr_decay": 1.0,
        "decay_every": 1,
        "weight_decay": 0.0,
    }
    card = MethodCard(
        title="EXIF-Net: learned self-consistency",
        paper="Huh et al., Fighting fake news: image splice detection via learned self-consistency, ECCV 2018; "
        "used as in paper 1, Table 3",
        url="https://arxiv.org/abs/1805.04096",
        reproduction="placeholder",
        differs=(
            "130 steps on virtual cameras, where the original learns from 400,000 photographs for millions of "
            "iterations"
        ),
        faithful=[
            "ResNet-50 v2 with 4096 outputs, 8192 -> 4096 -> 2048 -> 1024 -> 83 attributes -> 512 -> 1 consistency",
            "Adam 1e-4, 128 pairs a batch, drawn by a random value of a random attribute; missing ones masked",
            "never trained on generated images (unless trained_on=seen)",
            "paper 1's rule: reference = mean trunk feature, d = 1 - consistency, nearest reference, then d / sigma",
        ],
        deviations=[
            (
                "retrained: the published weights are a TensorFlow 1 checkpoint that may not be shipped here; "
                "weights=PREFIX reads it. Names and layout follow the published code; no copy of the checkpoint was at "
                "hand to try it on"
            ),
            (
                "retrained on virtual cameras: 80 of their parameters replace the 80 EXIF tags of 400,000 photographs. "
                "With real photographs (photographs=FOLDER) only the camera model is used as an attribute"
            ),
            (
                "5 epochs of 6,720 crops (130 steps): what two CPU cores do in ten minutes, where the original "
                "takes millions of iterations: expect little. 'same image' is learned at the same time"
            ),
            "published for 128 px; here whatever the crop size is (from 32 px)",
            "JPEG, blur and resizing strengths of the three treatments are our choice; half of the pairs go untreated",
        ],
        licence="Apache-2.0 (own code); the original is Apache-2.0",
        published={"af1": 0.219, "crr": 0.633},
        input_range="-1..1",
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.options["trained_on"] == CAMERAS and self.options["crops"] < 2:
            raise UsageError("exif-net learns from two crops of one picture; crops must be at least 2")

    def build(self, n_classes: int, size: int) -> AttributionModel:
        if size < ResNet50V2.minimum_size:
            raise UsageError(f"exif-net needs images of at least {ResNet50V2.minimum_size} px, these are {size} px")
        network = ResNet50V2(size)
        return AttributionModel(network, ConsistencyHead(n_classes, network.embedding_dim))

    def convert(self, images: np.ndarray) -> Tensor:
        return scale_pixels(images, ResNet50V2.input_range, self.device)

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam."""
        o = self.options
        return torch.optim.Adam(self.model.parameters(), lr=o["lr"], weight_decay=o["weight_decay"], fused=True)

    def recipe(self, epochs: int) -> Recipe:
        return Recipe(epochs, self.options["lr_decay"], self.options["decay_every"], monitor="loss")

    def published(self, bundle: TensorBundle) -> dict[str, Tensor]:
        return exif_net_tensors(bundle)

    def draw(self, crops: Crops, rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
        """A quarter from one picture, a quarter sharing a random attribute's random value, half differing in it."""
        sources = camera_codes(crops.cameras) if crops.cameras else unknown_cameras(int(crops.source.max()) + 1)
        codes = sources[crops.source]
        a, b = draw_same(crops.picture, rng, pairs // 4)
        having, others = _by_a_value(codes, rng)
        c, d = rng.choice(having, (2, pairs // 4))
        e, f = rng.choice(having, pairs - 2 * (pairs // 4)), rng.choice(others, pairs - 2 * (pairs // 4))
        positions = interleaved(np.r_[a, c, e], np.r_[b, d, f])
        treatments = draw_treatments(rng, pairs)
        pixels = np.stack([treat(*crop) for crop in zip(crops.images[positions], treatments, strict=True)])
        return pixels, np.column_stack([codes[positions], treatments, crops.picture[positions]])


def _by_a_value(codes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the images with one random value of one random attribute, and of those with another value."""
    varying = np.flatnonzero((codes != codes[0]).any(0))
    if not len(varying):
        raise RunError("pairs cannot be drawn: all training images share every attribute")
    column = codes[:, rng.choice(varying)]
    value = rng.choice(np.unique(column))
    return np.flatnonzero(column == value), np.flatnonzero(column != value)
