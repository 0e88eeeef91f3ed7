"""``repmix``: representation mixing (Bui, Yu and Collomosse, ECCV 2022)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...benchmark.images import ImageSet
from ...benchmark.method import Context, MethodCard, register_method
from ...benchmark.options import above, at_least, one_of
from ...core.errors import UsageError
from ..classifier import Classifier, SoftmaxHead
from ..corruptions import corrupt_at_random
from ..inputs import Inputs
from ..networks import build_network, global_pool, scale_pixels
from ..networks.resnet50 import ResNet50
from ..trained import TRAINING_DEFAULTS, AttributionModel

EMBEDDING = 256
REAL = "real"
"""Name of the class of camera images, if a suite has one."""
TRAINED_SHARE = 7 / 8
"""Of the resized image, the part of the side that the network sees in training (224 of 256 in the paper)."""


class RepMixHead(SoftmaxHead):
    """A linear embedding of 256 and a linear layer, with the compound loss if there is a class of real images.

    Compound: the logit of the real class is multiplied by the probability of "real", every other one by that of
    "synthetic", both from a second linear layer that has its own cross-entropy with class weights 1 and 1 / (K - 1).
    """

    def __init__(self, features: int, n_classes: int, real: int | None) -> None:
        super().__init__(EMBEDDING, n_classes)
        self.embedding = nn.Linear(features, EMBEDDING)
        self.real = real
        self.detection = None if real is None else nn.Linear(EMBEDDING, 2)
        is_real = torch.arange(n_classes) == (-1 if real is None else real)
        self.register_buffer("is_real", is_real, persistent=False)
        self.register_buffer("detection_weight", torch.tensor([1.0 / max(1, n_classes - 1), 1.0]), persistent=False)

    def embed(self, features: Tensor) -> Tensor:
        """(B, 2048) -> (B, 256)."""
        return self.embedding(features)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Attribution logits (B, K), weighted by the detection if there is one."""
        if self.detection is None:
            return self.linear(embeddings)
        return self._compound(embeddings, self.detection(embeddings))

    def mixed_loss(self, embeddings: Tensor, parts: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Sum over the mixed images' ``parts`` (labels (B,), shares (B,)) of share x cross-entropy, mean over B."""
        detected = None if self.detection is None else self.detection(embeddings)
        logits = self.linear(embeddings) if detected is None else self._compound(embeddings, detected)
        total = torch.zeros((), device=embeddings.device)
        for labels, shares in parts:
            total = total + (shares * F.cross_entropy(logits, labels, reduction="none")).mean()
            if detected is not None:
                real = self.is_real[labels].long()  # type: ignore[index, operator]
                weight: Tensor = self.detection_weight  # type: ignore[assignment]
                each = F.cross_entropy(detected, real, reduction="none") * weight[real]
                # Weighted mean, as a weighted cross-entropy has it.
                total = total + (shares * each).sum() / weight[real].sum()
        return total

    def _compound(self, embeddings: Tensor, detected: Tensor) -> Tensor:
        synthetic, real = detected.softmax(1).split(1, dim=1)
        return self.linear(embeddings) * torch.where(self.is_real, real, synthetic)  # type: ignore[arg-type]


class RepMixModel(AttributionModel):
    """In training, the feature maps after layer4 are mixed with those of another image of the batch; never else."""

    def __init__(self, network: ResNet50, head: RepMixHead, concentration: float) -> None:
        super().__init__(network, head)
        self.concentration = concentration

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of the batch, every image being mixed with a partner by (l, 1 - l) from a Dirichlet law."""
        network: Any = self.network
        head: Any = self.head
        partner = torch.randperm(len(inputs), device=inputs.device)
        law = torch.distributions.Dirichlet(torch.full((2,), self.concentration, device=inputs.device))
        shares = law.sample((len(inputs),))
        maps = network.maps(inputs)
        mixed = shares[:, 0, None, None, None] * maps + shares[:, 1, None, None, None] * maps[partner]
        embeddings = head.embed(global_pool(mixed, network.pool))
        return head.mixed_loss(embeddings, [(labels, shares[:, 0]), (labels[partner], shares[:, 1])])


@register_method("repmix")
class RepMix(Classifier):
    """ResNet-50 whose feature maps are mixed between images in training, and heavy augmentation.

    ``preprocessing="crop"`` looks at the crop as it is, without resampling, as paper 1 demands of every method;
    ``"original"`` resizes it as the authors do. ``compound`` is their loss with a detection head, which means something
    only if one of the seen classes is called "real": ``"auto"`` is on then and off otherwise.
    """

    network = "resnet50"
    defaults: ClassVar[dict[str, Any]] = {
        **TRAINING_DEFAULTS,
        "lr_decay": 0.85,
        "decay_every": 1,
        "weight_decay": 5e-4,
        "flip": True,
        "patience": 5,
        "preprocessing": "crop",
        "resize_to": 256,
        "corruption_rate": 0.95,
        "concentration": 0.4,
        "compound": "auto",
    }
    limits = {
        "preprocessing": one_of("crop", "original"),
        "resize_to": at_least(1),
        "corruption_rate": at_least(0, at_most=1),
        "concentration": above(0),
        "compound": one_of("auto", "on", "off"),
    }
    card = MethodCard(
        title="RepMix",
        paper="Bui, Yu and Collomosse, RepMix: Representation mixing for robust attribution, ECCV 2022",
        url="https://arxiv.org/abs/2207.02063",
        reproduction="partial",
        differs="from scratch, where the original starts from ImageNet weights; crops instead of resized images",
        faithful=[
            "ResNet-50, linear embedding of 256; two images mixed after layer4 before pooling, Dirichlet(0.4, 0.4)",
            "cross-entropy weighted by the shares of the mixture; the mix layer is skipped when testing",
            "mirrored images and image corruptions of random kind and severity with probability 0.95",
            "Adam with weight decay 5e-4, learning rate x0.85 every epoch, at most 30 epochs, early stopping",
            (
                "preprocessing=original: resize to 256, random crop of 224 in training, resize to 224 in testing; the "
                "compound loss with its weighted detection head where a class is called 'real'"
            ),
        ],
        deviations=[
            (
                "random initialisation instead of ImageNet weights, so the learning rate is 7e-4 instead of 1e-4 and "
                "training stops after 5 epochs without a better one instead of 3"
            ),
            (
                "preprocessing=crop (default): no resampling, which paper 1 rules out; compound loss off where no "
                "class is 'real', because the detection head would have nothing to tell apart"
            ),
            (
                "partners come from the same (class-balanced) batch, so that each image's maps are computed once and "
                "used twice; the batch is 64 images instead of 32 pairs"
            ),
            "13 own corruptions of the ImageNet-C kinds (no snow, no frost) with strengths of their own",
            "rejection rules other than 'never' are ours; for centroid-sigma the candidate stays the arg max",
        ],
        licence="Apache-2.0 (own code); the original is CC BY 4.0",
        published={"af1": 0.791, "crr": 0.0},
        input_range="-1..1",
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.resizes and self.seen_size < ResNet50.minimum_size:
            given = self.options["resize_to"]
            raise UsageError(f"resize_to={given} leaves the network less than {ResNet50.minimum_size} px")

    @property
    def resizes(self) -> bool:
        """Whether images are resampled."""
        return self.options["preprocessing"] == "original"

    @property
    def seen_size(self) -> int:
        """Side in pixels of what the network sees with ``preprocessing="original"``."""
        return round(TRAINED_SHARE * self.options["resize_to"])

    def build(self, n_classes: int, size: int) -> AttributionModel:
        network = build_network(self.network, self.seen_size if self.resizes else size)
        self.input_range = network.input_range
        head = RepMixHead(network.embedding_dim, n_classes, self._real_class())
        return RepMixModel(network, head, self.options["concentration"])  # type: ignore[arg-type]

    def _real_class(self) -> int | None:
        names = [name.lower() for name in self.class_names]
        if self.options["compound"] == "off" or (self.options["compound"] == "auto" and REAL not in names):
            return None
        if REAL not in names:
            raise UsageError(f"compound=on needs a seen class called '{REAL}'; there are {', '.join(self.class_names)}")
        return names.index(REAL)

    def inputs(self, images: ImageSet, context: Context, name: str) -> Inputs:
        if name != "train":
            return Inputs(images, self.convert)
        return Inputs(images, self.convert, flip=self.options["flip"], augment=self._augment)

    def _augment(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.resizes:
            images = _random_crops(_resized(images, self.options["resize_to"]), self.seen_size, rng)
        return corrupt_at_random(images, self.options["corruption_rate"], rng)

    def convert(self, images: np.ndarray) -> Tensor:
        if self.resizes and images.shape[1] != self.seen_size:
            images = _resized(images, self.seen_size)
        return scale_pixels(images, self.input_range, self.device)

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam; ``weight_decay`` is the usual L2 penalty."""
        o = self.options
        return torch.optim.Adam(self.model.parameters(), lr=o["lr"], weight_decay=o["weight_decay"], fused=True)


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 (B, S, S, 3) -> (B, size, size, 3): bilinear, smoothed first where it shrinks, as Pillow does."""
    x = torch.tensor(images).permute(0, 3, 1, 2)  # a copy: the images may be a read-only memory map
    y = F.interpolate(x.float(), (size, size), mode="bilinear", antialias=True)
    return y.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _random_crops(images: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """One square of ``size`` px from a random place of each image."""
    offsets = rng.integers(0, images.shape[1] - size + 1, (len(images), 2))
    return np.stack([image[y : y + size, x : x + size] for image, (y, x) in zip(images, offsets, strict=True)])
