"""One training loop for every network: seeded, checkpointed after each epoch, resumable to the bit on a CPU."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, RunError
from ..core.progress import get_logger, progress_bar

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    lr is multiplied by lr_decay every decay_every epochs; in the first warmup_epochs only parameter groups marked
    ``"warm": True`` move. The weights of the epoch with the best ``monitor`` on the seen validation images are kept,
    and training stops once ``patience`` epochs brought no better one. With cosine, the rate follows half a cosine wave
    from lr towards 0 instead.
    """

    epochs: int
    lr_decay: float = 1.0
    decay_every: int = 1
    warmup_epochs: int = 0
    clip_value: float | None = None
    monitor: Literal["accuracy", "loss"] = "accuracy"
    patience: int | None = None
    cosine: bool = False


@dataclass(frozen=True)
class Validation:
    """Closed-set accuracy in [0, 1] and mean loss on the seen validation images."""

    accuracy: float
    loss: float

    def key(self, monitor: str) -> tuple[float, float]:
        """Larger is better; the other figure breaks ties, which small validation sets have many of."""
        return (self.accuracy, -self.loss) if monitor == "accuracy" else (-self.loss, self.accuracy)


@contextmanager
def seeded_torch(*entropy: int) -> Iterator[None]:
    """Draw torch's random numbers from a stream of their own, and leave the global stream as it was."""
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1))
        yield


Batches = Callable[[np.random.Generator], Iterator[tuple[Tensor, Tensor]]]


def train_network(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    *,
    batches: Batches,
    batch_count: int,
    validate: Callable[[], Validation],
    folder: Path,
    seed: int,
    description: str,
) -> list[Validation]:
    """Train ``model`` in place and leave it with its best weights; returns the validation figures of each epoch.

    ``batches(rng)`` yields one epoch of (inputs (B, ...), labels (B,)), ``loss(inputs, labels)`` is a mean over the
    batch. Everything random in epoch e depends on (seed, e) alone, so a run resumed from ``folder`` continues exactly
    as if it had never stopped. Raises :class:`RunError` if the loss is not finite or memory does not suffice.
    """
    progress = _Progress.restore(folder / CHECKPOINT, model, optimizer)
    step = _Step(model, loss, optimizer, recipe.clip_value)
    finished = min(progress.epoch, recipe.epochs) * batch_count
    with progress_bar(description, recipe.epochs * batch_count, "batch", finished) as bar:
        while progress.epoch < recipe.epochs and not progress.exhausted(recipe):
            epoch = progress.epoch
            _set_learning_rates(optimizer, recipe, epoch)
            model.train()
            running = 0.0
            with seeded_torch(seed, epoch):
                for i, (inputs, labels) in enumerate(batches(np.random.default_rng([seed, epoch]))):
                    value = step(inputs, labels)
                    if not math.isfinite(value):
                        raise RunError(
                            f"{description}: the loss is {value} in epoch {epoch + 1}, batch {i + 1}; "
                            "lower the learning rate"
                        )
                    running += (value - running) / (i + 1)
                    shown = progress.history[-1].accuracy if progress.history else float("nan")
                    bar.update(1, epoch=epoch + 1, loss=f"{running:.3f}", val_accuracy=f"{shown:.3f}")
            model.eval()
            with torch.inference_mode():
                progress.record(validate(), model, recipe)
            progress.save(folder / CHECKPOINT, model, optimizer)
    model.load_state_dict(progress.best)
    model.eval()
    best = progress.history[progress.best_epoch]
    get_logger().info(
        "%s: best epoch %d of %d, validation accuracy %.3f",
        description,
        progress.best_epoch + 1,
        len(progress.history),
        best.accuracy,
    )
    return progress.history


class _Step:
    """One optimiser step. When the device runs out of memory, batches are halved from then on; once."""

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        clip_value: float | None,
    ) -> None:
        self.model, self.loss, self.optimizer, self.clip_value = model, loss, optimizer, clip_value
        self.parts = 1

    def __call__(self, inputs: Tensor, labels: Tensor) -> float:
        value: float | None = None
        try:
            value = self._gradients(inputs, labels)
        except torch.OutOfMemoryError as error:
            if self.parts > 1 or len(inputs) < 4:
                raise RunError(
                    f"the device has too little memory even for batches of {len(inputs) // self.parts}; "
                    "lower batch_size"
                ) from error
        if value is None:  # no longer in the handler, where the error still holds all that the step had allocated
            get_logger().warning("out of memory: every batch of %d is now computed in two halves", len(inputs))
            self.parts = 2
            return self(inputs, labels)
        if self.clip_value is not None:
            nn.utils.clip_grad_value_(self.model.parameters(), self.clip_value)
        self.optimizer.step()
        return value

    def _gradients(self, inputs: Tensor, labels: Tensor) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for x, y in zip(inputs.chunk(self.parts), labels.chunk(self.parts), strict=True):
            share = self.loss(x, y) * (len(x) / len(inputs))
            share.backward()
            total += share.item()
        return total


def _set_learning_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> None:
    factor = recipe.lr_decay ** (epoch // recipe.decay_every)
    if recipe.cosine:
        factor = (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2
    for group in optimizer.param_groups:
        base = group.setdefault("initial_lr", group["lr"])
        frozen = epoch < recipe.warmup_epochs and not group.get("warm", False)
        group["lr"] = 0.0 if frozen else base * factor


class _Progress:
    """What a checkpoint holds: the number of finished epochs, their validation figures and the best weights."""

    def __init__(self) -> None:
        self.epoch = 0
        self.best_epoch = -1
        self.best: dict[str, Any] = {}
        self.history: list[Validation] = []

    def record(self, figures: Validation, model: nn.Module, recipe: Recipe) -> None:
        if not self.history or figures.key(recipe.monitor) > self.history[self.best_epoch].key(recipe.monitor):
            self.best_epoch = self.epoch
            self.best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.history.append(figures)
        self.epoch += 1

    def exhausted(self, recipe: Recipe) -> bool:
        return recipe.patience is not None and self.epoch - 1 - self.best_epoch >= recipe.patience

    def save(self, path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "epoch": self.epoch,
                "best_epoch": self.best_epoch,
                "best": self.best,
                "history": [(v.accuracy, v.loss) for v in self.history],
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
            },
            partial,
        )
        os.replace(partial, path)

    @classmethod
    def restore(cls, path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> _Progress:
        progress = cls()
        if not path.exists():
            return progress
        device = next(model.parameters()).device
        try:
            state = torch.load(path, map_location=device, weights_only=True)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
        except Exception as error:
            raise CheckpointError(f"{path} cannot be resumed ({error}); delete it to train again") from error
        progress.epoch, progress.best_epoch, progress.best = state["epoch"], state["best_epoch"], state["best"]
        progress.history = [Validation(*figures) for figures in state["history"]]
        return progress
