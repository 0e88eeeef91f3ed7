"""The loop that all trainings share: time budget, reports, checkpoints, resumption."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...core.errors import CheckpointError
from ...core.progress import get_logger
from ..families import Generator
from .bank import Bank, to_tensor
from .distance import sliced_wasserstein
from .hardware import Hardware
from .optimise import restore
from .report import CURVE_NAMES, curves_svg, grid, points

CHECKPOINT_SECONDS = 180
REPORT_SECONDS = 60.0


@dataclass(frozen=True)
class BaseRecipe:
    """What every training needs to know. config: keywords of the family's class."""

    family: str
    config: dict[str, Any]
    seed: int = 0


@dataclass
class Progress:
    """What a training has done so far.

    seconds: of all sittings, reports included, by the ``clock`` (wall, or CPU time); device: of the last sitting.
    """

    step: int = 0
    images: int = 0
    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    device: str = ""
    clock: str = "wall"


class Training(ABC):
    """One model in training, resumable from ``folder``.

    A training killed at any moment continues from its last checkpoint; on a CPU it does so to the bit, as far as the
    clock allows: learning rates and stages follow the share of the time budget that is spent.

    folder: gets ``state.pt``, and at every report ``grid.png``, ``curve.svg`` and ``progress.json``.
    """

    average: Generator
    stateful: ClassVar[tuple[str, ...]]
    report_images: ClassVar[int] = 512
    reports: ClassVar[int] = 16
    columns: ClassVar[int] = 8  # of the grid, and its rows
    checkpoint_seconds: ClassVar[float] = CHECKPOINT_SECONDS

    def __init__(
        self,
        recipe: BaseRecipe,
        pixels: np.ndarray,
        held_out: np.ndarray,
        folder: Path,
        hardware: Hardware | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.rng = np.random.default_rng(recipe.seed)
        self.recipe, self.folder, self.clock = recipe, folder, clock
        self.hardware = hardware or Hardware()
        self.bank = Bank(pixels, self.hardware)
        self.held_out = held_out[: self.report_images]
        self.progress = Progress()
        self._build()
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            self._resume()

    def run(self, minutes: float) -> Generator:
        """Train until ``minutes`` in all (earlier sittings included) are spent; return the averaged generator.

        A training with an aim ends as soon as that is :attr:`finished`.
        """
        budget = 60 * minutes
        last = saved = self.clock()
        self.progress.device = str(self.hardware)
        self.progress.clock = "CPU time" if self.clock is time.process_time else "wall"
        if not self.progress.curve:
            self._report({}, 0.0)
        elif self.progress.seconds >= budget:
            return self.average
        while self.progress.seconds < budget and not self.finished:
            elapsed = self.progress.seconds / budget
            losses = self._step(elapsed)
            self.progress.step += 1
            if self.progress.seconds - self.progress.curve[-1]["seconds"] >= self._report_interval(budget):
                self._report(losses, elapsed)
            now = self.clock()
            self.progress.seconds += now - last
            last = now
            if now - saved > self.checkpoint_seconds:
                self._save()
                saved = now
        self._report({}, 1.0)
        self._save()
        return self.average

    @abstractmethod
    def _build(self) -> None:
        """Make networks and optimisers, on the device."""

    @abstractmethod
    def _step(self, elapsed: float) -> dict[str, Tensor]:
        """One step of every network in turn; ``elapsed`` is the share of the budget spent. Losses, not yet read."""

    @abstractmethod
    def samples(self, count: int, seed: int = 1) -> np.ndarray:
        """uint8 (count, S, S, 3) from the averaged generator, as ``osbench generate`` would draw them."""

    def _reconstructions(self, elapsed: float) -> np.ndarray | None:
        """uint8 reconstructions of the held-out crops while ``elapsed`` lies in a stage that makes no samples."""
        return None

    @property
    def finished(self) -> bool:
        """Whether the training has reached an aim other than its time."""
        return False

    def _report_interval(self, budget: float) -> float:
        """Seconds from one report to the next in a training of ``budget`` seconds."""
        return max(REPORT_SECONDS, budget / self.reports)

    def _figures(self) -> dict[str, float]:
        """Further numbers for a report."""
        return {}

    def _extra_state(self) -> dict[str, Any]:
        """What a checkpoint holds besides networks, optimisers and random states."""
        return {}

    def _restore_extra(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`_extra_state` gave."""
        del state

    def _look(self, elapsed: float) -> tuple[np.ndarray, dict[str, float]]:
        """Pictures for a report, uint8 (N, S, S, 3), and how far they are from where they should be."""
        # The first report shows the untrained network, which a later one is compared with.
        fake = self._reconstructions(elapsed) if self.progress.curve else None
        name = "swd" if fake is None else "swd_reconstruction"
        if fake is None:
            fake = self.samples(len(self.held_out))
        return fake, {name: round(sliced_wasserstein(to_tensor(fake), to_tensor(self.held_out)), 2)}

    @torch.no_grad()
    def _report(self, losses: dict[str, Tensor], elapsed: float) -> None:
        fake, measured = self._look(elapsed)
        point = {
            "seconds": round(self.progress.seconds, 1),
            "images": self.progress.images,
            **measured,
            **self._figures(),
            **{k: round(float(v), 4) for k, v in losses.items()},
        }
        self.progress.curve.append(point)
        get_logger().info("%s: %s", self.folder.name, json.dumps(point))
        grid(fake[: self.columns**2], self.columns).save(self.folder / "grid.png")
        lines = {line: points(self.progress.curve, line) for line in CURVE_NAMES}
        (self.folder / "curve.svg").write_text(curves_svg({k: v for k, v in lines.items() if v}))
        (self.folder / "progress.json").write_text(json.dumps(asdict(self.progress), indent=1) + "\n")

    def _save(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in self.stateful}
        state |= {
            "progress": asdict(self.progress),
            "recipe": asdict(self.recipe),
            "rng": json.dumps(self.rng.bit_generator.state),
            "torch_rng": torch.get_rng_state(),
            **self._extra_state(),
        }
        if (device := self.hardware.device).type != "cpu":
            state["device_rng"] = torch.get_device_module(device).get_rng_state(device)
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def _resume(self) -> None:
        state = torch.load(self.folder / "state.pt", map_location=self.hardware.device, weights_only=True)
        self._check_recipe(state.get("recipe"))
        for name in self.stateful:
            part = getattr(self, name)
            if isinstance(part, torch.optim.Optimizer):
                restore(part, state[name])
            else:
                part.load_state_dict(state[name])
        self.progress = Progress(**state["progress"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        if "torch_rng" in state:
            torch.set_rng_state(state["torch_rng"].cpu())
        if "device_rng" in state and (device := self.hardware.device).type != "cpu":
            torch.get_device_module(device).set_rng_state(state["device_rng"].cpu(), device)
        self._restore_extra(state)
        get_logger().info("%s: resumed after %.0f s", self.folder.name, self.progress.seconds)

    def _check_recipe(self, stored: dict[str, Any] | None) -> None:
        """A state may lack fields that came later (they take their defaults), but not contradict any."""
        if stored is None:
            return
        known = asdict(self.recipe)
        if set(stored) - set(known) or type(self.recipe)(**stored) != self.recipe:
            raise CheckpointError(f"{self.folder}: was started with another recipe; give another folder or remove it.")
