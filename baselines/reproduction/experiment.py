"""What all tables share: runs on the suite at hand, and how a printed and a measured number are set side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from ...benchmark.answers import DEFAULT_THRESHOLD_RULE
from ...benchmark.evaluate import evaluate, is_finished, plan_fits, torch_device
from ...benchmark.fits import Fit, run_fits
from ...benchmark.manifest import Manifest
from ...benchmark.metrics import Outcome, bootstrap_intervals, paired_difference
from ...benchmark.metrics.intervals import Interval
from ...benchmark.runs import Run
from ...core.errors import RunError
from ...core.progress import get_logger
from ...generation.dataset import Dataset
from ..cameras.pretrained import CAMERA, find_packaged, read_card
from ..cameras.pretraining import CameraPretraining, camera_weights

K = TypeVar("K")

AGREES, CONTRADICTS, CANNOT_TELL = "agrees", "contradicts", "cannot tell"


@dataclass(frozen=True)
class Trained:
    """A method as a table wants it trained; ``title`` is for the log."""

    title: str
    method: str
    rejection: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """The suite at hand, and how methods are trained on it.

    Attributes
    ----------
    out : Path
        Gets ``runs/`` and ``cameras/``; everything in it is continued when the same experiment is run again.
    seeds : int
        Training seeds 0 to ``seeds`` - 1.
    epochs : int or None
        None = each method's own.
    preset : str
        Reading of ProxyNCA++ for the proposed method; "paper-literal" takes equations 2 and 3 as printed.
    replicates : int
        Replicates of every bootstrap.
    jobs : int
        Fits at a time; with more than one, each is in a process of its own (:mod:`~...benchmark.fits`).
    """

    dataset: Dataset
    manifest: Manifest
    out: Path
    seeds: int = 3
    epochs: int | None = None
    preset: str = "paper-literal"
    device: str = "cpu"
    pretraining: CameraPretraining = field(default_factory=CameraPretraining)
    replicates: int = 1000
    jobs: int = 1

    def entries(self, trained: Mapping[K, Trained]) -> dict[K, Entry]:
        """Fit every method with every seed, or take the runs that are there.

        RunError if fits of several ``jobs`` failed; the others are made by then.
        """
        if self.jobs > 1:
            self._fit_ahead(list(trained.values()))
        return {key: self._entry(one) for key, one in trained.items()}

    def _fit_ahead(self, trained: Sequence[Trained]) -> None:
        plans = [plan for one in trained for plan in plan_fits(one.method, **self._arguments(one))]
        fits = [Fit.of(plan, self.dataset) for plan in plans if not is_finished(plan)]
        reasons = run_fits(fits, self.jobs, self.dataset, self.manifest)
        failed = [f"{fit.label}: {why}" for fit, why in zip(fits, reasons, strict=True) if why is not None]
        if failed:
            raise RunError(f"{len(failed)} of {len(fits)} fits failed, first {failed[0]}")

    def _entry(self, one: Trained) -> Entry:
        get_logger().info("%s", one.title)
        return Entry.of(evaluate(one.method, **self._arguments(one)), one.rejection, self.manifest)

    def _arguments(self, one: Trained) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "manifest": self.manifest,
            "seeds": range(self.seeds),
            "out": self.out / "runs",
            "device": self.device,
            "options": one.options,
            "epochs": self.epochs,
        }

    def camera_weights(self, network: str) -> tuple[str, dict[str, Any]]:
        """Option ``init`` for a start from camera identification, and the card of those weights.

        The packaged weights where there are some for this network and crop size; else a file below ``out/cameras``
        (:func:`camera_weights`).
        """
        size, folder = self.manifest.crop_size, self.out / "cameras"
        file = camera_weights(
            network, size, self.pretraining, folder, device=torch_device(self.device), cache=folder / "crops"
        )
        return CAMERA if find_packaged(network, size) else str(file), read_card(file)


@dataclass(frozen=True)
class Entry:
    """The runs of one method over its seeds, with their answers to the test images and their thresholds."""

    runs: list[Run]
    tests: list[Outcome]
    thresholds: list[float]

    @classmethod
    def of(cls, runs: list[Run], rule: str, manifest: Manifest) -> Entry:
        """The answers by a rejection rule; thresholds come from seen validation images (rule ``accept-95``)."""
        answers = [run.answers(rule, manifest) for run in runs]
        thresholds = [a.threshold(DEFAULT_THRESHOLD_RULE) for a in answers]
        return cls(runs, [a.test for a in answers], thresholds)

    @property
    def seconds(self) -> float:
        """Mean wall time of a seed."""
        return sum(run.info.wall_time_s for run in self.runs) / len(self.runs)

    def intervals(self, metrics: Sequence[str], replicates: int) -> dict[str, Interval]:
        """Means over seeds with 95 % intervals over images and seeds."""
        return bootstrap_intervals(self.tests, self.thresholds, metrics, replicates=replicates)


def made_with(entries: Iterable[Entry]) -> dict[str, Any]:
    """``created``, ``versions``, ``git`` and ``hardware`` of the newest run of these entries."""
    infos = [run.info.to_json() for entry in entries for run in entry.runs]
    newest = max(infos, key=lambda info: datetime.fromisoformat(info["created"]))
    return {key: newest[key] for key in ("created", "versions", "git", "hardware")}


def beside(published: float | None, found: Interval) -> dict[str, float | None]:
    """A printed number and ours: ``published``, ``reproduced``, ``low``, ``high``, ``difference`` (ours - printed)."""
    estimate = _number(found.estimate)
    both = published is not None and estimate is not None
    return {
        "published": published,
        "reproduced": estimate,
        "low": _number(found.low),
        "high": _number(found.high),
        "difference": round(estimate - published, 6) if both else None,  # type: ignore[operator]
    }


def comparison(published: float | None, better: Entry, other: Entry, metric: str, replicates: int) -> dict[str, Any]:
    """Does one entry beat another as it does in the paper? ``published`` is the printed difference.

    Keys: ``published``, ``reproduced``, ``low``, ``high`` (paired bootstrap), ``p_value``, ``verdict``.
    """
    found = paired_difference(
        better.tests, other.tests, metric, thresholds=(better.thresholds, other.thresholds), replicates=replicates
    )
    return {
        "published": None if published is None else round(published, 6),
        "reproduced": _number(found.difference),
        "low": _number(found.low),
        "high": _number(found.high),
        "p_value": _number(found.p_value),
        "verdict": verdict(published, found.low, found.high),
    }


def verdict(published: float | None, low: float, high: float) -> str:
    """Whether an interval of a difference lies on the same side of 0 as the printed difference.

    "cannot tell" where it holds 0, where nothing or 0 is printed, or where it is undefined.
    """
    if not published or not (low > 0 or high < 0):
        return CANNOT_TELL
    return AGREES if (low > 0) == (published > 0) else CONTRADICTS


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
