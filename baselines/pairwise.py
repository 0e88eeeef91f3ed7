"""Forensic similarity as open-set attribution: a siamese network, trained on pairs, asked about class references.

Paper 1, section 4.5: the reference r_k of a class is the mean trunk feature of its training images, the distance is
d(x, r_k) = 1 - similarity(h(x), r_k), from there on its own rule holds: nearest reference (eq. 5), deviation sigma_k
(eq. 7 with this d), ``known_score`` -d / sigma (eq. 6). The trunk runs once per image and the head takes references as
they are, so N images against R references cost N + R trunk runs, not N x R.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.special import expit
from torch import Tensor, nn

from ..benchmark.card import MethodCard
from ..benchmark.images import ImageSet
from ..benchmark.method import Context, Scores
from ..benchmark.method_code import code_sha256
from ..benchmark.options import at_least, one_of
from ..core.errors import RunError
from ..core.locking import exclusive
from ..core.progress import get_logger
from ..core.publish import publishing
from ..core.user_folders import cache_folder
from ..generation.cameras.virtual import VirtualCamera
from .cameras.bank import CropSource, build_bank
from .cameras.sources import VirtualSource, photograph_source, virtual_source
from .few_images import shared_variance
from .inputs import Inputs
from .published_pairs import load_published, pinned_checkpoint
from .rejection import Activations
from .tf_checkpoint import TensorBundle
from .trained import AttributionModel, TrainedMethod
from .training import Validation, seeded_torch, train_network
from .training_images import check_training_images

CAMERAS, SEEN, RETRAINED = "cameras", "seen", "retrained"
CAMERA_SEED = 0
SECONDS_KEY = "osbench.training_seconds"
HELD_OUT_PAIRS = 1024
"""At most; smaller held-out sets give as many pairs as they have images."""

PAIR_DEFAULTS: dict[str, Any] = {
    "weights": RETRAINED,
    "trained_on": CAMERAS,
    "photographs": "",
    "cameras": 70,
    "scenes": "",
    "scene_count": 60,
    "crops": 2,
}
"""weights: "retrained", or the prefix of the published TensorFlow checkpoint. trained_on: "cameras" or "seen" (the
seen classes' own training images). photographs: a folder of real ones, camera_model/**/*.jpg; else ``cameras`` virtual
cameras in front of the photographs in the folder ``scenes``, or of ``scene_count`` procedural scenes. crops: of each
picture."""


class PairHead(nn.Module, ABC):
    """The similarity of two trunk features; holds the class references (K, D).

    ``labels`` are codes of single images in the order of the inputs; rows 2i and 2i + 1 are a pair.
    """

    references: Tensor

    def __init__(self, n_classes: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("references", torch.zeros(n_classes, dim))

    @abstractmethod
    def pairwise(self, a: Tensor, b: Tensor) -> Tensor:
        """Logit of "same source" (P,) of features (P, D) and (P, D), pair by pair."""

    @abstractmethod
    def against(self, queries: Tensor, references: Tensor) -> Tensor:
        """The same logits (N, R) for all pairs of (N, D) and (R, D), without repeating work per pair."""

    @abstractmethod
    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of P pairs."""

    @abstractmethod
    def same(self, labels: Tensor) -> Tensor:
        """bool (P,): what the logit of a pair should say."""

    def embed(self, features: Tensor) -> Tensor:
        """The features themselves."""
        return features

    def logits(self, embeddings: Tensor) -> Tensor:
        """(N, K) against the class references."""
        return self.against(embeddings, self.references)


@dataclass(frozen=True)
class Crops:
    """What pairs are drawn from.

    source: camera or generator, int64 (N,). picture: which picture a crop is from, int64 (N,); for generated images
    the generator. cameras: the virtual cameras behind the numbers in ``source``, if they are virtual.
    """

    images: ImageSet
    source: np.ndarray
    picture: np.ndarray
    cameras: tuple[VirtualCamera, ...] = ()

    def split(self, name: str) -> Crops:
        """The crops of ``"train"`` or ``"val"``."""
        chosen = self.images.split_name == name
        return Crops(self.images.subset(chosen), self.source[chosen], self.picture[chosen], self.cameras)


class PairwiseMethod(TrainedMethod):
    """A trunk and a :class:`PairHead`, trained on pairs; then references and paper 1's rule.

    What is trained on cameras knows nothing of generators, so it is trained once per seed, kept in the user's cache,
    and shared by all folds of all protocols.
    """

    normalised_distances = ("native",)
    defaults: ClassVar[dict[str, Any]] = PAIR_DEFAULTS
    limits = {
        "trained_on": one_of(CAMERAS, SEEN),
        "cameras": at_least(1),
        "scene_count": at_least(1),
        "crops": at_least(1),
    }
    sigmas: np.ndarray

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.options["weights"] != RETRAINED:
            self.options["weights"] = pinned_checkpoint(self.options["weights"])

    def described(self) -> MethodCard:
        if self.options["weights"] == RETRAINED:
            return self.card
        untried = "the published weights, by a reader that no copy of them was at hand to try"
        return replace(self.card, reproduction="partial", differs=untried)

    @abstractmethod
    def draw(self, crops: Crops, rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
        """Random pairs: pixels uint8 (2 * pairs, S, S, 3) and the images' codes (2 * pairs, ...) int64."""

    @abstractmethod
    def published(self, bundle: TensorBundle) -> dict[str, Tensor]:
        """The published weights under the names of ``model.state_dict()``."""

    def initialize(self) -> str:
        """Put pre-trained weights into the fresh model; returns what identifies them."""
        return "scratch"

    def inputs(self, images: ImageSet, context: Context, name: str) -> Inputs:
        """The images that references are computed from, as they are."""
        return Inputs(images, self.convert)

    # -- training --------------------------------------------------------------------------------------------------

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Train on pairs (or take what was trained before), then compute references from the training images."""
        check_training_images(train, val, context, least=2)  # pairs of one class
        self.device, self.class_names, self.crop_size = context.device, context.class_names, train.crop_size
        with seeded_torch(context.seed):
            self.model = self.build(len(context.class_names), train.crop_size)
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.learn_similarity(train, val, context)
        self.model.eval()
        found = self.activations(self.inputs(train, context, "references"))
        self.learn_rejection(found, found)

    def learn_similarity(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Train trunk and head on pairs of camera crops or of the seen classes, or load published weights."""
        if self.options["weights"] != RETRAINED:
            load_published(self.model, self.options["weights"], self.published)
            return
        begun_from = self.initialize()
        if self.options["trained_on"] == SEEN:
            pairs_of_train, pairs_of_val = (Crops(x, x.class_index, x.class_index) for x in (train, val))
            self._train(pairs_of_train, pairs_of_val, context.folder, context)
            return
        source = camera_source(self.options, self.crop_size)
        identity = self._identity(source, begun_from, context)
        path = cache_folder() / "pairs" / f"{self.name}-{identity}.safetensors"
        with exclusive(path.with_suffix(".lock")):
            if path.is_file():
                self._say_found(path)
            else:
                begun = time.monotonic()
                crops = camera_crops(source)
                work = path.with_suffix(".work")
                self._train(crops.split("train"), crops.split("val"), work, context)
                _save(self.model, path, time.monotonic() - begun)
                shutil.rmtree(work)
        state = self.model.state_dict() | load_file(path)
        self.model.load_state_dict(state)

    def _say_found(self, path: Path) -> None:
        """A run's ``wall_time_s`` is that of its own fit: say what it leaves out."""
        with safe_open(path, framework="pt") as stored:
            seconds = float(stored.metadata()[SECONDS_KEY])
        get_logger().info(
            "%s was trained on these cameras before, in %.0f s that wall_time_s will not count: %s",
            self.name,
            seconds,
            path,
        )

    def _train(self, train: Crops, val: Crops, folder: Path, context: Context) -> None:
        # An even number of pairs, so that a batch cut in halves for lack of memory tears no pair apart.
        pairs = max(2, self.options["batch_size"] // 2 * 2)
        count = max(1, len(train.source) // (2 * pairs))
        epochs = context.epochs or self.options["epochs"]

        def batches(rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
            for _ in range(count):
                pixels, labels = self.draw(train, rng, pairs)
                yield self.convert(pixels), torch.from_numpy(labels).to(self.device)

        folder.mkdir(parents=True, exist_ok=True)
        train_network(
            self.model,
            self.model.loss,
            self.optimizer(),
            self.recipe(epochs),
            batches=batches,
            batch_count=count,
            validate=lambda: self._validate(val, pairs),
            folder=folder,
            seed=context.seed,
            description=f"{self.name}, seed {context.seed}",
        )

    def _validate(self, val: Crops, pairs: int) -> Validation:
        """Loss, and how often the sign of the logit is right, on the same held-out pairs every time."""
        rng, head = np.random.default_rng(0), _head(self.model)
        losses, hits = [], []
        for _ in range(-(-min(HELD_OUT_PAIRS, len(val.source)) // pairs)):
            pixels, codes = self.draw(val, rng, pairs)
            labels = torch.from_numpy(codes).to(self.device)
            features = self.model.network(self.convert(pixels))
            losses.append(head.loss(features, labels).item())
            right = (head.pairwise(features[0::2], features[1::2]) > 0) == head.same(labels)
            hits.append(right.float().mean().item())
        return Validation(float(np.mean(hits)), float(np.mean(losses)))

    def _identity(self, source: CropSource, begun_from: str, context: Context) -> str:
        document = {
            "method": self.name,
            "code": code_sha256(type(self)),
            "options": self.options,
            "begun_from": begun_from,
            "epochs": context.epochs,
            "crop_size": self.crop_size,
            "seed": context.seed,
            "device": self.device.type,
            "source": source.describe(),
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]

    # -- paper 1's rule --------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def learn_rejection(self, train: Activations, val: Activations) -> None:
        """r_k, the mean trunk feature of class k, and sigma_k of d(h(x), r_k) over its training images (eq. 7)."""
        head, features = _head(self.model), torch.from_numpy(train.features)
        sigmas = []
        for k, name in enumerate(self.class_names):
            own = features[torch.from_numpy(train.labels == k)]
            head.references[k] = own.double().mean(0).float()
            reference = head.references[k : k + 1]
            parts = [head.against(part.to(self.device), reference) for part in own.split(512)]
            d = dissimilarity(torch.cat(parts).cpu().numpy())
            sigmas.append(float(np.sqrt((d**2).sum() / (len(d) - 1))))
            if not sigmas[-1] > 0:
                raise RunError(f"all training images of '{name}' have distance 0 to its reference; sigma is 0")
        self.sigmas = np.array(sigmas)

    def answer(self, features: np.ndarray, logits: np.ndarray) -> dict[str, Scores]:
        d = dissimilarity(logits)
        candidate = d.argmin(1)
        return {"native": Scores(-d, -(d[np.arange(len(d)), candidate] / self.sigmas[candidate]), candidate)}

    @torch.inference_mode()
    def enroll(self, images: np.ndarray, class_name: str) -> Self:
        """A reference and a sigma more."""
        features = torch.from_numpy(self.embed(images))
        joined = self.with_class(class_name)
        head = copy.deepcopy(_head(self.model))
        reference = features.double().mean(0, keepdim=True).float().to(self.device)
        head.references = torch.cat([head.references, reference])
        d = dissimilarity(head.against(features.to(self.device), reference).cpu().numpy())
        variance = shared_variance(float((d**2).sum()), len(d), float((self.sigmas**2).mean()))
        joined.model = AttributionModel(self.model.network, head)
        joined.sigmas = np.append(self.sigmas, np.sqrt(variance * (1 + 1 / len(d))))
        return joined

    def arrays(self) -> dict[str, np.ndarray]:
        return {"sigmas": self.sigmas}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.sigmas = arrays["sigmas"]


def dissimilarity(logits: np.ndarray) -> np.ndarray:
    """1 - sigmoid(logit), float64; computed as sigmoid(-logit), which does not round to 0 for similar pairs."""
    return expit(-logits.astype(np.float64))


def camera_source(options: dict[str, Any], crop_size: int) -> CropSource:
    """The cameras that the options of a :class:`PairwiseMethod` speak of."""
    if options["photographs"]:
        return photograph_source(Path(options["photographs"]), crop_size, options["crops"], CAMERA_SEED)
    return virtual_source(
        options["cameras"],
        crop_size,
        options["crops"],
        CAMERA_SEED,
        scenes=Path(options["scenes"]) if options["scenes"] else None,
        scene_count=options["scene_count"],
    )


def camera_crops(source: CropSource) -> Crops:
    """Its crops, which are made once and kept in the user's cache."""
    description = source.describe()
    key = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / "cameras" / key
    with exclusive(folder.with_suffix(".lock")):
        images = build_bank(source, folder)
    picture = np.arange(len(images)) // description["crops_per_image"]
    cameras = source.cameras if isinstance(source, VirtualSource) else ()
    return Crops(images, images.class_index, picture, cameras)


def draw_same(groups: np.ndarray, rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (pairs,) and (pairs,) of two different images of one group; every group is as likely as another.

    ``groups`` int64 (N,). RunError if no group has two images.
    """
    order, starts, counts = _grouped(groups)
    large = np.flatnonzero(counts >= 2)
    if not len(large):
        raise RunError("pairs cannot be drawn: no two training images are from the same source")
    g = rng.choice(large, pairs)
    i = rng.integers(counts[g])
    j = (i + 1 + rng.integers(counts[g] - 1)) % counts[g]
    return order[starts[g] + i], order[starts[g] + j]


def draw_different(groups: np.ndarray, rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (pairs,) and (pairs,) of images of two different groups. RunError if there is one group only."""
    order, starts, counts = _grouped(groups)
    if len(counts) < 2:
        raise RunError("pairs cannot be drawn: all training images are from the same source")
    g = rng.integers(len(counts), size=pairs)
    h = (g + 1 + rng.integers(len(counts) - 1, size=pairs)) % len(counts)
    return order[starts[g] + rng.integers(counts[g])], order[starts[h] + rng.integers(counts[h])]


def interleaved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(2P, ...) with a[i] in row 2i and b[i] in row 2i + 1."""
    return np.stack([a, b], axis=1).reshape(-1, *a.shape[1:])


def _grouped(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    _, starts, counts = np.unique(np.sort(groups), return_index=True, return_counts=True)
    return np.argsort(groups, kind="stable"), starts, counts


def _head(model: AttributionModel) -> PairHead:
    assert isinstance(model.head, PairHead)
    return model.head


def _save(model: AttributionModel, path: Path, seconds: float) -> None:
    """Everything but the references, which belong to one set of classes; ``seconds``: of the process that ended it."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items() if k != "head.references"}
    with publishing(path) as partial:
        save_file(tensors, partial, metadata={"format": "pt", SECONDS_KEY: f"{seconds:.3f}"})


def binary_loss(logits: Tensor, same: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits and bools."""
    return F.binary_cross_entropy_with_logits(logits, same.to(logits.dtype))
