"""``clip-knn``: nearest training images by frozen features, as in UniversalAttribution (ECCV workshops 2024)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ...benchmark.images import ImageSet
from ...benchmark.method import Context, MethodCard, Scores, register_method
from ...benchmark.options import at_least
from ...core.errors import CheckpointError, UsageError
from ..encoder_method import RESAMPLING, UsesEncoder
from ..encoders.clip import CLIP_LARGE
from ..model_files import SETTINGS, WEIGHTS
from ..training_images import check_training_images

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
LIFTED = 200
"""So many training images of a class show how much more similar many images are than few."""
BATCH = 256
"""Images at once: against 80,000 training images their similarities and the order of these take 0.4 GB."""


@register_method("clip-knn")
class ClipKnn(UsesEncoder):
    """A vote of the k most similar training images (cosine), k chosen on seen validation images.

    ``similarity`` scores an image by the mean cosine to its k nearest training images of the winning class; ``votes``
    by the share of the k nearest that vote for it, the published score, which is 1 for every image if k is 1.
    """

    without_clip = "nearest neighbours"
    rejections: ClassVar[tuple[str, ...]] = ("similarity", "votes")
    defaults: ClassVar[dict[str, Any]] = {"encoder": f"clip:{CLIP_LARGE}", "layer": "", "neighbours": 0}
    limits = {"neighbours": at_least(0)}
    card = MethodCard(
        title="CLIP + k nearest neighbours",
        paper="Cioni et al., Are CLIP features all you need for universal synthetic image origin attribution?, "
        "ECCV workshops 2024",
        url="https://arxiv.org/abs/2408.09153",
        reproduction="partial",
        differs="the joint embedding instead of a chosen block in the middle (layer=blockK takes one)",
        faithful=["frozen CLIP image encoder, cosine similarity, majority vote of the k nearest training images"],
        deviations=[
            RESAMPLING,
            "k is chosen on seen validation images; the published code chooses it on images of unknown classes too",
            "the joint embedding of ViT-L/14 at 336 px; the paper takes a chosen block in the middle (layer=blockK)",
            "the rule 'similarity' is ours, shares of votes being coarse; ties in the vote go to the nearer class",
        ],
        licence="Apache-2.0 (own code); CLIP's weights are MIT and not shipped",
        published={},
        input_range="0..1, then CLIP's mean and standard deviation",
    )

    joined: int = 0
    """How many sources joined after the fit; they are the last classes."""

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Remember the features of the training images, as many of each class, and choose k."""
        check_training_images(train, val, context)
        self.device, self.class_names = context.device, context.class_names
        rng = np.random.default_rng(context.seed)
        batches = train.batches(BATCH, rng=rng, balanced=True)
        parts = [(labels, self.features(pixels)) for pixels, labels, _ in batches]
        self.labels, self.train_features = (np.concatenate(column) for column in zip(*parts, strict=True))
        self.lift, self.joined = np.zeros(len(self.class_names)), 0
        smallest = int(np.bincount(self.labels).min())
        asked = self.options["neighbours"]
        if asked > smallest:
            raise UsageError(f"neighbours={asked}: the smallest class has {smallest} training images")
        choices = [asked] if asked else [k for k in NEIGHBOURS if k <= smallest]
        hits = np.zeros(len(choices), np.int64)
        for pixels, labels, _ in val.batches(BATCH):
            similarity = self.similarities(self.features(pixels))
            hits += [(self._vote(similarity, k)[0] == labels).sum() for k in choices]
        self.k = choices[int(hits.argmax())]

    def enroll(self, images: np.ndarray, class_name: str) -> Self:
        """The images join the training images; their similarities are lifted, see :meth:`_lift`.

        They take no part in the vote, where a few images cannot win against many: an image goes to the new source where
        its similarity is larger than that of the winner. So there are no ``votes`` for it, and that rule is left out.
        """
        joined = copy.copy(self)
        joined.joined, joined.rejections = self.joined + 1, ("similarity",)  # type: ignore[misc]
        joined.lift = np.append(self.lift, self._lift(len(images)))
        joined.class_names = (*self.class_names, class_name)
        joined.train_features = np.concatenate([self.train_features, self.features(images)])
        joined.labels = np.append(self.labels, np.full(len(images), len(self.class_names), self.labels.dtype))
        return joined

    def _lift(self, count: int) -> float:
        """By how much more similar the k nearest of a class are than the nearest of ``count`` of its images.

        The mean over the fitted classes: a class of few images loses by so much against one of many, whatever is asked.
        """
        gaps: list[np.ndarray] = []
        for c in range(len(self.class_names) - self.joined):
            own = self.train_features[self.labels == c]
            own = own[np.linspace(0, len(own) - 1, min(LIFTED, len(own))).astype(np.int64)]
            few = np.unique(np.linspace(0, len(own) - 1, min(count, len(own) - 1)).astype(np.int64))
            others = np.setdiff1d(np.arange(len(own)), few)
            similarity = own[others] @ own.T
            similarity[np.arange(len(others)), others] = -np.inf
            k = min(self.k, len(own) - 1)
            gaps.append(_largest(similarity, k).mean(1) - _largest(similarity[:, few], k).mean(1))
        return float(np.concatenate(gaps).mean())

    def embed(self, images: np.ndarray) -> np.ndarray:
        return self.features(images)

    def similarities(self, features: np.ndarray) -> np.ndarray:
        """Cosines (N, M) to the training images."""
        return features @ self.train_features.T

    def predict(self, images: np.ndarray) -> dict[str, Scores]:
        similarity = self.similarities(self.features(images))
        candidate, votes, means = self._vote(similarity, self.k)
        rows = np.arange(len(images))
        answers = {
            "similarity": Scores(means, means[rows, candidate], candidate),
            "votes": Scores(means, votes[rows, candidate], candidate),
        }
        return {name: answers[name].check() for name in self.rejections}

    def _vote(self, similarity: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Candidate (N,), shares of the k nearest (N, K), mean similarity to the k nearest of each class (N, K)."""
        n_classes, fitted, rows = len(self.class_names), len(self.class_names) - self.joined, np.arange(len(similarity))
        voters = self.labels < fitted
        nearest = np.argpartition(-similarity[:, voters], k - 1, axis=1)[:, :k]
        cells = self.labels[voters][nearest] + n_classes * rows[:, None]
        votes = np.bincount(cells.ravel(), minlength=n_classes * len(similarity)).reshape(-1, n_classes) / k
        nearest_of_class = [_largest(similarity[:, self.labels == c], k).mean(1) for c in range(n_classes)]
        means = np.stack(nearest_of_class, axis=1) + self.lift
        candidate = np.lexsort((means[:, :fitted], votes[:, :fitted]))[:, -1]
        if self.joined:
            newcomer = fitted + means[:, fitted:].argmax(1)
            candidate = np.where(means[rows, newcomer] > means[rows, candidate], newcomer, candidate)
        return candidate, votes, means

    def save(self, folder: Path) -> None:
        """The training images' features and labels, and the hash of the encoder's weights."""
        save_file({"features": self.train_features, "labels": self.labels, "lift": self.lift}, folder / WEIGHTS)
        settings = {
            "options": self.options,
            "class_names": self.class_names,
            "k": self.k,
            "joined": self.joined,
            "encoder_sha256": self.encoder.sha256,
        }
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The method as it was saved. CheckpointError if a file is missing or damaged."""
        try:
            settings, arrays = json.loads((folder / SETTINGS).read_text()), load_file(folder / WEIGHTS)
            method = cls(**settings["options"])
            method.class_names, method.k = tuple(settings["class_names"]), settings["k"]
            method.expected_sha256 = settings["encoder_sha256"]
            method.train_features, method.labels = arrays["features"], arrays["labels"]
            method.lift, method.joined = arrays["lift"], settings["joined"]
            if method.joined:
                method.rejections = ("similarity",)  # type: ignore[misc]
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise CheckpointError(f"{folder} holds no usable {cls.name} model: {error}") from error
        return method


def _largest(values: np.ndarray, k: int) -> np.ndarray:
    """The k largest of each row, unordered; all of a class that has fewer images."""
    k = min(k, values.shape[1])
    return np.partition(values, -k, axis=1)[:, -k:]
