"""What all methods share that are one network, trained by gradient descent on the seen classes."""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from ..benchmark.images import ImageSet
from ..benchmark.method import Context, Method, Scores
from ..benchmark.options import above, at_least, one_of
from ..core.errors import CheckpointError, UsageError
from ..core.publish import write_atomically
from .inputs import Inputs
from .model_files import SETTINGS, WEIGHTS
from .precision import FLOAT32, PRECISIONS, autocast, choose_precision
from .rejection import Activations
from .training import Recipe, Validation, seeded_torch, train_network
from .training_images import check_training_images

TRAINING_DEFAULTS: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 64,
    "lr": 7e-4,
    "lr_decay": 0.6,
    "decay_every": 2,
    "weight_decay": 0.01,
    "flip": False,
    "precision": FLOAT32,
}
"""Paper 1's schedule from scratch; batch size and weight decay are not stated there (torch's default decay).

``precision``: float32, bfloat16, or auto (see :mod:`.precision`).
"""


class AttributionModel(nn.Module):
    """A network with a head on top. The head has ``embed(features)``, ``logits(embeddings)`` and
    ``loss(embeddings, labels)``."""

    def __init__(self, network: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and logits (B, K)."""
        embeddings = self.head.embed(self.network(inputs))  # type: ignore[operator]
        return embeddings, self.head.logits(embeddings)  # type: ignore[operator]

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of a batch."""
        return self.head.loss(self.head.embed(self.network(inputs)), labels)  # type: ignore[operator]


class TrainedMethod(Method):
    """``fit``, ``predict``, ``save`` and ``load``; a method says how its model is built and how it answers."""

    limits = {
        "epochs": at_least(1),
        "batch_size": at_least(1),
        "lr": above(0),
        "lr_decay": above(0, at_most=1),
        "decay_every": at_least(1),
        "weight_decay": at_least(0),
        "patience": at_least(1),
        "precision": one_of(*PRECISIONS),
    }
    model: AttributionModel
    class_names: tuple[str, ...]
    crop_size: int
    device: torch.device
    precision: str = FLOAT32

    # -- what a method must say ------------------------------------------------------------------------------------

    @abstractmethod
    def build(self, n_classes: int, size: int) -> AttributionModel:
        """A freshly initialised model for K classes and images of ``size`` px."""

    @abstractmethod
    def convert(self, images: np.ndarray) -> Tensor:
        """uint8 (B, S, S, 3) -> network inputs on ``self.device``."""

    @abstractmethod
    def recipe(self, epochs: int) -> Recipe:
        """The schedule for this number of epochs."""

    @abstractmethod
    def learn_rejection(self, train: Activations, val: Activations) -> None:
        """Fit everything that comes after the network, from cached activations."""

    @abstractmethod
    def answer(self, features: np.ndarray, logits: np.ndarray) -> dict[str, Scores]:
        """One :class:`Scores` per name in ``rejections`` from features (N, D) and logits (N, K)."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """What :meth:`learn_rejection` learned, for :meth:`save`."""

    @abstractmethod
    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """The inverse of :meth:`arrays`."""

    # -- what a method may change ----------------------------------------------------------------------------------

    def inputs(self, images: ImageSet, context: Context, name: str) -> Inputs:
        """The network inputs of a set, ``name`` being ``"train"`` or ``"val"``."""
        return Inputs(images, self.convert, flip=self.options["flip"] and name == "train")

    def prepare(self, train: Inputs) -> None:
        """Called once before training, after the model was built (for statistics of the training inputs)."""

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW on all parameters."""
        o = self.options
        return torch.optim.AdamW(self.model.parameters(), lr=o["lr"], weight_decay=o["weight_decay"], fused=True)

    def validate(self, train: Inputs, val: Inputs) -> Validation:
        """Accuracy of the arg max of the logits, and cross-entropy, on the seen validation images."""
        found = self.activations(val)
        return validation_of(found.logits, found.labels)

    # -- Method ----------------------------------------------------------------------------------------------------

    def fit(self, train: ImageSet, val: ImageSet, context: Context) -> None:
        """Train, keep the epoch with the best validation figures, then fit the rejection on cached activations."""
        check_training_images(train, val, context)
        self.device, self.class_names, self.crop_size = context.device, context.class_names, train.crop_size
        with seeded_torch(context.seed):
            self.model = self.build(len(context.class_names), train.crop_size)
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        train_inputs, val_inputs = self.inputs(train, context, "train"), self.inputs(val, context, "val")
        self.prepare(train_inputs)
        batch_size = self.options["batch_size"]
        self.precision = self._chosen_precision(train_inputs, batch_size, context)
        train_network(
            self.model,
            self._loss,
            self.optimizer(),
            self.recipe(context.epochs or self.options["epochs"]),
            batches=lambda rng: train_inputs.epoch(batch_size, rng),
            batch_count=train_inputs.batch_count(batch_size),
            validate=lambda: self.validate(train_inputs, val_inputs),
            folder=context.folder,
            seed=context.seed,
            description=f"{self.name}, seed {context.seed}",
        )
        self.learn_rejection(self.activations(train_inputs), self.activations(val_inputs))

    def _chosen_precision(self, train: Inputs, batch_size: int, context: Context) -> str:
        """The precision that training runs in; chosen once for a fit, however often it is interrupted."""
        note = context.folder / "precision.txt"
        if note.exists():
            return note.read_text().strip()
        inputs, labels = next(train.epoch(batch_size, np.random.default_rng([context.seed, 0])))
        chosen = choose_precision(
            self.options["precision"], self.model, lambda model, x, y: model.loss(x, y), inputs, labels
        )
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, chosen.encode())
        return chosen

    def _loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            return self.model.loss(inputs, labels)

    def activations(self, inputs: Inputs) -> Activations:
        """Features and logits of every image of a set, in its order."""
        count, at = len(inputs.images), 0
        found: list[np.ndarray] = []
        for x in inputs.in_order(self._inference_batch()):
            parts = self._forward(x)
            # In place: features can be most of the memory, and lists of batches would hold them twice.
            found = found or [np.empty((count, *part.shape[1:]), part.dtype) for part in parts]
            for whole, part in zip(found, parts, strict=True):
                whole[at : at + len(part)] = part
            at += len(x)
        features, logits = found
        return Activations(features, logits, inputs.images.class_index)

    def predict(self, images: np.ndarray) -> dict[str, Scores]:
        """Answers for uint8 (N, S, S, 3), S = the size that the method was fitted on."""
        self._check_images(images)
        n = self._inference_batch()
        parts = [self._forward(self.convert(images[i : i + n])) for i in range(0, len(images), n)]
        features, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
        return {name: scores.check() for name, scores in self.answer(features, logits).items()}

    def embed(self, images: np.ndarray) -> np.ndarray:
        """float32 (N, D): what the last layer sees."""
        self._check_images(images)
        n = self._inference_batch()
        return np.concatenate([self._forward(self.convert(images[i : i + n]))[0] for i in range(0, len(images), n)])

    def with_class(self, name: str) -> Self:
        """A copy that knows one class more by name; the rest is for :meth:`enroll` to add."""
        joined = copy.copy(self)
        joined.class_names = (*self.class_names, name)
        return joined

    def _check_images(self, images: np.ndarray) -> None:
        if images.ndim != 4 or images.shape[1:] != (self.crop_size, self.crop_size, 3):
            raise UsageError(
                f"{self.name} was fitted on crops of {self.crop_size} x {self.crop_size} px, these images are "
                f"{tuple(images.shape[1:])}"
            )

    def save(self, folder: Path) -> None:
        """``model.safetensors`` (network, head, rejection) and ``method.json`` (options, classes, crop size)."""
        tensors = {f"model.{k}": v.cpu().contiguous().numpy() for k, v in self.model.state_dict().items()}
        tensors |= {f"rejection.{k}": np.ascontiguousarray(v) for k, v in self.arrays().items()}
        save_file(tensors, folder / WEIGHTS)
        settings = {
            "options": self.options,
            "class_names": self.class_names,
            "crop_size": self.crop_size,
            "rejections": self.rejections,
        }
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The method as it was saved, on the CPU. :class:`CheckpointError` if a file is missing or does not fit."""
        try:
            settings = json.loads((folder / SETTINGS).read_text())
            tensors = load_file(folder / WEIGHTS)
            method = cls(**settings["options"])
            method.class_names, method.crop_size = tuple(settings["class_names"]), settings["crop_size"]
            # The model has learned the rules that existed when it was saved, and no later ones.
            method.rejections = tuple(settings["rejections"])  # type: ignore[misc]
            method.device = torch.device("cpu")
            method.model = method.build(len(method.class_names), method.crop_size)
            method.model.load_state_dict({k: torch.from_numpy(v) for k, v in under("model.", tensors).items()})
            method.restore(under("rejection.", tensors))
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise CheckpointError(f"{folder} holds no usable {cls.name} model: {error}") from error
        method.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        method.model.eval()
        return method

    def to(self, device: torch.device) -> Self:
        """Move the network."""
        self.device = device
        self.model.to(device)
        return self

    def _inference_batch(self) -> int:
        # Twice the training batch needs less memory than one training step.
        return 2 * self.options["batch_size"]

    @torch.inference_mode()
    def _forward(self, inputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
        self.model.eval()
        features, logits = self.model(inputs)
        return features.float().cpu().numpy(), logits.float().cpu().numpy()


def validation_of(logits: np.ndarray, labels: np.ndarray) -> Validation:
    """Accuracy of the arg max and mean cross-entropy of logits (N, K) for labels (N,)."""
    loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    return Validation(float((logits.argmax(1) == labels).mean()), loss)


def under(prefix: str, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
