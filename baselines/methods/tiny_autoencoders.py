"""``tiny-autoencoders``: one small encoder per generator before one decoder of camera images (Bindini et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from ...benchmark.images import ImageSet
from ...benchmark.method import Context, MethodCard, register_method
from ...benchmark.options import at_least
from ...core.errors import DatasetError, UsageError
from ...generation.folders import list_images
from ..cameras.bank import build_bank
from ..cameras.photographs import read_photograph
from ..cameras.sources import random_crops, virtual_source
from ..classifier import Classifier, SoftmaxHead
from ..inputs import Inputs
from ..networks import scale_pixels
from ..rejection import Activations, LinearHead, RejectionRule, rule_names
from ..trained import AttributionModel, TrainedMethod
from ..training import Recipe, Validation, seeded_torch, train_network
from ..training_images import check_training_images

PATCH = 64
MOST_PATCHES = 16
"""Patches of an image, the most informative ones."""
MINIMUM_SIZE = 32
VIRTUAL = "virtual-cameras"
CAMERAS, CROPS = 12, 4
"""Virtual cameras, and patches of each picture."""
COSTS = [0.01, 0.1, 1.0, 10.0, 100.0]
"""The grid for C of the linear SVM."""
FOLDS = 5


def encoder() -> nn.Sequential:
    """(B, 3, p, p) -> (B, 128, p / 4, p / 4)."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU()),
    )


def decoder() -> nn.Sequential:
    """(B, 128, p / 4, p / 4) -> (B, 3, p, p)."""
    return nn.Sequential(
        *(nn.ConvTranspose2d(128, 64, 2, stride=2), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 2, stride=2), nn.ReLU()),
        nn.ConvTranspose2d(32, 3, 3, padding=1),
    )


class ReconstructionErrors(nn.Module):
    """Patches (B, P, 3, p, p) of 0..255 -> the image's standardised log reconstruction errors (B, K).

    The error under encoder k is the mean squared difference over all patches and pixels. Its logarithm is standardised
    with mean and standard deviation (buffers) of training images that no encoder has seen.
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoder() for _ in range(n_classes))
        self.decoder = decoder()
        self.embedding_dim = n_classes
        self.register_buffer("mean", torch.zeros(n_classes))
        self.register_buffer("std", torch.ones(n_classes))

    def forward(self, patches: Tensor) -> Tensor:
        flat = patches.flatten(0, 1)
        errors = [(self.decoder(encode(flat)) - flat).square().mean((1, 2, 3)) for encode in self.encoders]
        of_image = torch.stack(errors, dim=1).unflatten(0, patches.shape[:2]).mean(1)
        return (of_image.clamp_min(1e-6).log() - self.mean) / self.std  # type: ignore[operator]


class OwnError(RejectionRule):
    """Minus the smallest error, each in standard deviations of the training images of the encoder's own class."""

    name = "native"

    def fit(self, train: Activations, held_out: Activations, head: LinearHead | None) -> None:
        own = [train.features[train.labels == k, k] for k in range(train.logits.shape[1])]
        sigma = [max(float(errors.std()), 1e-3) for errors in own]
        self.arrays = {"mean": np.array([errors.mean() for errors in own]), "std": np.array(sigma)}

    def known_score(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        return -((features - self.arrays["mean"]) / self.arrays["std"]).min(1)


@register_method("tiny-autoencoders")
class TinyAutoencoders(Classifier):
    """Reconstruction errors under one encoder per generator, and a linear SVM on this short vector.

    ``real``: what the decoder learns from, "virtual-cameras" or a folder of JPEG photographs; ``real_patches`` of them,
    one in ten for validation. ``patches_per_class``: on
    how many patches an encoder is trained; the images they come from are at most half of the class, the SVM and the
    rejection learn from the others.
    """

    rejections: ClassVar[tuple[str, ...]] = (OwnError.name, *rule_names())
    defaults: ClassVar[dict[str, Any]] = {
        "epochs": 200,
        "batch_size": 32,
        "lr": 1e-3,
        "patches_per_class": 320,
        "real": VIRTUAL,
        "real_patches": 960,
    }
    limits = {"patches_per_class": at_least(1), "real_patches": at_least(1)}
    card = MethodCard(
        title="Tiny Autoencoders",
        paper="Bindini et al., Tiny autoencoders are effective few-shot generative model detectors, WIFS 2024",
        url="https://github.com/IAPP-Group/WIFS2024-TinyAutoencoders",
        reproduction="partial",
        differs="a tenth of the epochs, and a decoder of virtual cameras' pictures instead of Flickr30k",
        faithful=[
            (
                "convolutional autoencoder of 0.135 M parameters on patches of 64 px, pixels 0..255, mean squared "
                "error, Adam 1e-3; a decoder of camera images stays frozen, every generator gets a fresh encoder"
            ),
            "the 16 patches of most entropy of an image; 320 patches a generator (20 images of 16 in the paper)",
            "mean error under every encoder as features of a linear SVM, its C by 5-fold grid search",
        ],
        deviations=[
            (
                "the decoder's camera images: pictures of 12 virtual cameras instead of Flickr30k, which cannot be "
                "shipped; real=FOLDER takes photographs"
            ),
            "200 epochs for an encoder and 100 for the decoder instead of 2000 and 1000; the best epoch is kept",
            "crops smaller than 64 px are one patch (the largest multiple of 4), so more images make up 320 patches",
            "log errors, standardised; the SVM learns from images that no encoder was trained on",
            (
                "rejection is ours: 'native' is the smallest error in standard deviations of the encoder's own class; "
                "the other rules take errors for features and SVM margins for logits"
            ),
        ],
        licence="Apache-2.0 (own code); the original has none",
        published={},
        input_range="0..255",
    )

    # -- model -----------------------------------------------------------------------------------------------------

    def build(self, n_classes: int, size: int) -> AttributionModel:
        if size < MINIMUM_SIZE:
            raise UsageError(f"{self.name} needs crops of at least {MINIMUM_SIZE} px, these are {size} px")
        return AttributionModel(ReconstructionErrors(n_classes), SoftmaxHead(n_classes, n_classes))

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return min(PATCH, self.crop_size) // 4 * 4

    def convert(self, images: np.ndarray) -> Tensor:
        patches = informative_patches(images, self.patch)
        return self._tensor(patches.reshape(-1, *patches.shape[2:])).unflatten(0, patches.shape[:2])

    def _tensor(self, patches: np.ndarray) -> Tensor:
        return scale_pixels(patches, (0.0, 255.0), self.device)

    # -- learning --------------------------------------------------------------------------------------------------

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """The decoder, then encoder after encoder, then SVM and rejection on the images that are left."""
        check_training_images(train, val, context)
        self.device, self.class_names, self.crop_size = context.device, context.class_names, train.crop_size
        with seeded_torch(context.seed):
            self.model = self.build(len(self.class_names), train.crop_size)
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._learn_decoder(context)
        for_encoders, rest = self._shared_out(train, context.seed)
        for k in range(len(self.class_names)):
            self._learn_encoder(k, for_encoders, val, context)
        self._learn_svm(rest, context.seed)
        convert = self.convert
        self.learn_rejection(self.activations(Inputs(rest, convert)), self.activations(Inputs(val, convert)))

    def _shared_out(self, train: ImageSet, seed: int) -> tuple[ImageSet, ImageSet]:
        """Images for the encoders, and the others; the only image of a class is for both."""
        tiles = len(tile_corners(self.crop_size, self.patch))
        images = -(-self.options["patches_per_class"] // min(MOST_PATCHES, tiles))
        rng, taken = np.random.default_rng(seed), np.zeros(len(train), bool)
        left = np.ones(len(train), bool)
        for k in range(len(self.class_names)):
            own = rng.permutation(np.flatnonzero(train.class_index == k))
            taken[own[: max(1, min(images, len(own) // 2))]] = True
            left[own] = ~taken[own] if len(own) > 1 else True
        return train.subset(taken), train.subset(left)

    def _learn_decoder(self, context: Context) -> None:
        real = self._real_patches(context)
        held_out = max(1, len(real) // 10)
        with seeded_torch(context.seed, 1):
            first = encoder()
        autoencoder = nn.Sequential(first, self._network.decoder).to(self.device)
        epochs = max(1, self._epochs(context) // 2)
        self._train(autoencoder, nn.Identity(), real[held_out:], real[:held_out], epochs, context, "real")
        self._network.decoder.requires_grad_(False).eval()

    def _real_patches(self, context: Context) -> np.ndarray:
        """uint8 (N, p, p, 3) in random order."""
        rng, count = np.random.default_rng([context.seed, 1]), self.options["real_patches"]
        if self.options["real"] == VIRTUAL:
            scenes = -(-count // (CAMERAS * CROPS))
            source = virtual_source(CAMERAS, self.patch, CROPS, context.seed, scene_count=scenes)
            patches = build_bank(source, context.folder / "virtual-cameras").pixels
        else:
            patches = photograph_patches(Path(self.options["real"]), self.patch, count, rng)
        return patches[rng.permutation(len(patches))[:count]]

    def _learn_encoder(self, k: int, images: ImageSet, val: ImageSet, context: Context) -> None:
        own = [_patches_of(s.subset(s.class_index == k), self.patch) for s in (images, val)]
        train, held_out = own[0], own[1] if len(own[1]) else own[0]
        encode, name = self._network.encoders[k], self.class_names[k]
        self._train(encode, self._network.decoder, train, held_out, self._epochs(context), context, name)

    def _train(
        self,
        model: nn.Module,
        behind: nn.Module,
        train: np.ndarray,
        held_out: np.ndarray,
        epochs: int,
        context: Context,
        name: str,
    ) -> None:
        """Minimise |behind(model(x)) - x|^2 over the parameters of ``model``."""
        size = min(self.options["batch_size"], len(train))

        def loss(x: Tensor, _: Tensor) -> Tensor:
            return F.mse_loss(behind(model(x)), x)

        def batches(rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
            order = rng.permutation(len(train))
            for start in range(0, len(train) - size + 1, size):
                x = self._tensor(train[order[start : start + size]])
                yield x, x

        def validate() -> Validation:
            parts = [self._tensor(held_out[i : i + 256]) for i in range(0, len(held_out), 256)]
            return Validation(0.0, sum(loss(x, x).item() * len(x) for x in parts) / len(held_out))

        train_network(
            model,
            loss,
            torch.optim.Adam(model.parameters(), lr=self.options["lr"]),
            Recipe(epochs, monitor="loss"),
            batches=batches,
            batch_count=len(train) // size,
            validate=validate,
            folder=context.folder / f"autoencoder-{name}",
            seed=context.seed,
            description=f"{self.name}, seed {context.seed}, {name}",
        )

    def _learn_svm(self, images: ImageSet, seed: int) -> None:
        network, linear = self._network, self.model.head.linear
        errors = self.activations(Inputs(images, self.convert)).features
        mean, std = errors.mean(0), errors.std(0).clip(1e-6)
        network.mean.copy_(torch.from_numpy(mean))
        network.std.copy_(torch.from_numpy(std))
        svm = _best_svm((errors - mean) / std, images.class_index, seed)
        weight, bias = svm.coef_, svm.intercept_
        if len(weight) == 1:  # two classes have one margin
            weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))  # type: ignore[operator, union-attr]
            linear.bias.copy_(torch.from_numpy(bias))  # type: ignore[operator, union-attr]

    def _epochs(self, context: Context) -> int:
        return context.epochs or self.options["epochs"]

    @property
    def _network(self) -> Any:
        return self.model.network

    def enroll(self, images: np.ndarray, class_name: str) -> Self:
        """UsageError: every class has an autoencoder of its own, which a few images cannot train."""
        return super(TrainedMethod, self).enroll(images, class_name)

    def rule(self, name: str, arrays: dict[str, np.ndarray] | None = None) -> RejectionRule:
        return OwnError(arrays) if name == OwnError.name else super().rule(name, arrays)


def _best_svm(errors: np.ndarray, labels: np.ndarray, seed: int) -> LinearSVC:
    """The linear SVM whose C was best in 5-fold cross-validation (fewer folds if a class has fewer images)."""
    svm = LinearSVC(random_state=seed, max_iter=5000)
    folds = min(FOLDS, int(np.bincount(labels).min()))
    if folds < 2:
        return svm.fit(errors, labels)
    return GridSearchCV(svm, {"C": COSTS}, cv=folds).fit(errors, labels).best_estimator_


def tile_corners(size: int, patch: int) -> list[tuple[int, int]]:
    """Upper left corners of the tiles that fit into a square of ``size``, in the middle of it."""
    count = size // patch
    first = (size - count * patch) // 2
    return [(first + i * patch, first + j * patch) for i in range(count) for j in range(count)]


def informative_patches(images: np.ndarray, patch: int) -> np.ndarray:
    """The (at most 16) tiles of most grey-level entropy: uint8 (B, S, S, 3) -> (B, P, patch, patch, 3)."""
    corners = tile_corners(images.shape[1], patch)
    tiles = np.stack([images[:, y : y + patch, x : x + patch] for y, x in corners], axis=1)
    if len(corners) <= MOST_PATCHES:
        return tiles
    chosen = np.argsort(-_entropy(tiles), axis=1, kind="stable")[:, :MOST_PATCHES]
    return tiles[np.arange(len(tiles))[:, None], chosen]


def _entropy(tiles: np.ndarray) -> np.ndarray:
    """Entropy (B, P) in bits of the histogram of 256 grey levels."""
    grey = np.rint(tiles @ np.array([0.299, 0.587, 0.114])).astype(np.int64).reshape(*tiles.shape[:2], -1)
    counts = np.apply_along_axis(np.bincount, -1, grey, minlength=256)
    share = counts / grey.shape[-1]
    return -(share * np.log2(np.where(share > 0, share, 1.0))).sum(-1)


def _patches_of(images: ImageSet, patch: int) -> np.ndarray:
    parts = [informative_patches(pixels, patch) for pixels, _, _ in images.batches(256)]
    return np.concatenate(parts).reshape(-1, patch, patch, 3) if parts else np.empty((0, patch, patch, 3), np.uint8)


def photograph_patches(folder: Path, patch: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` uint8 (patch, patch, 3) from random places of the JPEG photographs in a folder, equally many of each.

    DatasetError for a folder without images, a damaged file, or one that is smaller than a patch.
    """
    files = list_images(folder)
    each, parts = -(-count // len(files)), []
    for path in files[:count]:
        picture = read_photograph(path)
        if min(picture.shape[:2]) < patch:
            raise DatasetError(f"{path}: smaller than a patch of {patch} px. Remove it from the folder.")
        parts.append(random_crops(picture, patch, each, rng))
    return np.concatenate(parts)[:count]
