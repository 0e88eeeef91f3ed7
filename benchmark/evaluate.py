"""The harness: fit a method once per seed, ask it about validation and test, publish one run per rejection rule.

Everything can be killed at any moment and started again: published runs are skipped, a fitted model is loaded, an
unfinished fit continues from the method's own checkpoints.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import RunError, UsageError, unknown_name
from ..core.locking import exclusive
from ..core.progress import get_logger, progress_bar
from ..core.publish import write_atomically
from ..generation.dataset import Dataset
from .environment import git_revision, hardware, library_versions
from .images import ImageSet, load_images
from .manifest import Manifest
from .method import Context, Method, Scores, get_method, source_sha256
from .method_code import code_sha256
from .predictions import Predictions
from .runs import MODEL_FOLDER, RUN_SCHEMA_VERSION, Run, link_tree, run_id, store_manifest

#: Images per call of ``predict``; methods may cut them into smaller batches.
PREDICT_BATCH = 512


@dataclass(frozen=True)
class _Plan:
    """One fit: a method, its configuration and a seed on one manifest."""

    cls: type[Method]
    config: dict[str, Any]
    manifest: Manifest
    seed: int
    out: Path
    device: torch.device

    @property
    def config_hash(self) -> str:
        document = [self.config["resolved"], self.manifest.manifest_id]
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def method_folder(self) -> Path:
        return self.out / self.cls.name

    @property
    def fit_folder(self) -> Path:
        return self.method_folder / f".fit-seed{self.seed}-{self.config_hash}"

    def run_folder(self, rejection: str) -> Path:
        return self.method_folder / run_id(rejection, self.seed, self.config_hash)


def evaluate(
    method_name: str,
    dataset: Dataset,
    manifest: Manifest,
    *,
    seeds: Sequence[int],
    out: Path,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
    rejections: Sequence[str] | None = None,
    epochs: int | None = None,
    crop_size: int | None = None,
    check: bool = False,
) -> list[Run]:
    """Fit and test a method; returns its runs, seed by seed in the order of ``rejections``.

    Parameters
    ----------
    method_name: a registered name or ``path/to/file.py``.
    out: the runs folder; runs go to ``out/<method>/<rejection>-seed<seed>-<hash>/``.
    options: hyper-parameters that differ from the method's defaults.
    rejections: a choice of the method's rejection rules, None = all.
    crop_size: side of the centre crop in pixels, None = as stored.
    check: compare every image with its ``pixel_sha256`` first.

    Raises UsageError for unknown names, DatasetError for bad images, RunError for answers that are not finite.
    """
    plans, wanted = _plans(
        method_name,
        dataset,
        manifest,
        seeds=seeds,
        out=out,
        device=device,
        options=options,
        rejections=rejections,
        epochs=epochs,
        crop_size=crop_size,
    )
    store_manifest(out, manifest)
    missing = [plan for plan in plans if not _finished(plan, wanted)]
    if missing:
        images = load_images(dataset, manifest, crop_size=crop_size, check=check)
        for plan in missing:
            _run_seed(plan, images, wanted)
    runs = [Run.open(plan.run_folder(name)) for plan in plans for name in wanted]
    _warn_of_other_code(get_method(method_name), runs)
    return runs


def unfinished_seeds(method_name: str, dataset: Dataset, manifest: Manifest, **arguments: Any) -> list[int]:
    """The seeds for which :func:`evaluate` would have something to do; UsageError as there. Changes nothing.

    arguments: as :func:`evaluate` takes them, but ``check``.
    """
    plans, wanted = _plans(method_name, dataset, manifest, **arguments)
    return [plan.seed for plan in plans if not _finished(plan, wanted)]


def _plans(
    method_name: str,
    dataset: Dataset,
    manifest: Manifest,
    *,
    seeds: Sequence[int],
    out: Path,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
    rejections: Sequence[str] | None = None,
    epochs: int | None = None,
    crop_size: int | None = None,
) -> tuple[list[_Plan], tuple[str, ...]]:
    """One plan for each seed, and the rejection rules that runs are wanted of."""
    cls = get_method(method_name)
    wanted = _chosen_rejections(cls, rejections)
    config = _config(cls, dict(options or {}), epochs, crop_size or dataset.crop_size)
    return [_Plan(cls, config, manifest, seed, out, torch_device(device)) for seed in seeds], wanted


def _finished(plan: _Plan, wanted: Sequence[str]) -> bool:
    return all(_published(plan.run_folder(name)) for name in wanted)


def _warn_of_other_code(cls: type[Method], runs: Sequence[Run]) -> None:
    """Runs without the hash are from before there was one: nothing is known of them."""
    now = code_sha256(cls)
    other = [run for run in runs if run.info.get("code_sha256", now) != now]
    if other:
        get_logger().warning(
            "%s: %d of %d runs were made before its code changed, first %s; delete them to evaluate again",
            cls.name,
            len(other),
            len(runs),
            other[0].folder,
        )


def _chosen_rejections(cls: type[Method], rejections: Sequence[str] | None) -> tuple[str, ...]:
    for name in rejections or ():
        if name not in cls.rejections:
            raise unknown_name(f"rejection rule of method {cls.name}", name, cls.rejections)
    return tuple(dict.fromkeys(rejections)) if rejections else cls.rejections


def _config(cls: type[Method], given: dict[str, Any], epochs: int | None, crop_size: int) -> dict[str, Any]:
    """Defaults apart from given values, and what they resolve to: the identity of a run besides data and seed."""
    options = cls(**given).options
    resolved = {"options": options, "epochs": epochs, "crop_size": crop_size}
    file_hash = source_sha256(cls)
    return {
        "given": given | ({} if epochs is None else {"epochs": epochs}),
        "defaults": dict(cls.defaults),
        "resolved": resolved if file_hash is None else resolved | {"method_sha256": file_hash},
    }


def torch_device(name: str) -> torch.device:
    """The device of a name; UsageError if torch does not know it or sees no such GPU."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"'{name}' is not a device; use cpu, cuda or cuda:N.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda asked for, but torch sees no GPU; use --device cpu.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {name} asked for, but torch sees {torch.cuda.device_count()} GPUs, counted from 0.")
    return device


def _published(folder: Path) -> bool:
    return (folder / "run.json").is_file()


def _run_seed(plan: _Plan, images: ImageSet, wanted: Sequence[str]) -> None:
    plan.fit_folder.mkdir(parents=True, exist_ok=True)
    get_logger().info("%s, seed %d", plan.cls.name, plan.seed)
    busy = RunError(f"{plan.fit_folder}: another 'osbench evaluate' is at this fit. Wait for it or stop it.")
    with exclusive(plan.fit_folder / "lock", busy):
        with _wall_time(plan.fit_folder):
            method = _fitted(plan, images)
            asked = images.subset(images.split_name != "train")
            answers = _predict(method.to(plan.device), asked, f"{plan.cls.name} predict")
        for rejection in wanted:
            if rejection not in answers:
                raise RunError(f"method {plan.cls.name} gave no scores for its rejection rule '{rejection}'.")
            _publish(plan, rejection, Predictions(asked.image_ids, answers[rejection]))
        shutil.rmtree(plan.fit_folder)


def _publish(plan: _Plan, rejection: str, predictions: Predictions) -> None:
    folder = plan.run_folder(rejection)
    if not _published(folder):
        info = _run_info(plan, rejection, _seconds(plan.fit_folder)) | _fit_code(plan)
        Run.write(folder, info, predictions, plan.fit_folder / "model")


def _fit_code(plan: _Plan) -> dict[str, str]:
    """Hash of the code that fitted the model: of an earlier sitting, where its other rules were published then."""
    sibling = _published_sibling(plan)
    if sibling is None:
        return {"code_sha256": code_sha256(plan.cls)}
    return {key: value for key, value in sibling.info.items() if key == "code_sha256"}


def _fitted(plan: _Plan, images: ImageSet) -> Method:
    """The fitted method: loaded if this fit was finished before, else fitted (or resumed) now."""
    model = plan.fit_folder / "model"
    sibling = _published_sibling(plan)
    if not model.is_dir() and sibling is not None:
        _write_seconds(plan.fit_folder, float(sibling.info["wall_time_s"]))
        link_tree(sibling.model, model)
    if model.is_dir():
        return plan.cls.load(model)
    method = plan.cls(**plan.config["resolved"]["options"])
    seed_everything(plan.seed)
    method.fit(images.split("train"), images.split("val"), _context(plan, method))
    partial = plan.fit_folder / ".model.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    method.save(partial)
    os.replace(partial, model)
    return method


def _published_sibling(plan: _Plan) -> Run | None:
    """A run of the same fit with another rejection rule, if there is one with its model."""
    folders = map(plan.run_folder, plan.cls.rejections)
    return next((Run.open(folder) for folder in folders if (folder / MODEL_FOLDER).is_dir()), None)


def _context(plan: _Plan, method: Method) -> Context:
    folder = plan.fit_folder / "context"
    folder.mkdir(exist_ok=True)
    return Context(
        seed=plan.seed,
        device=plan.device,
        folder=folder,
        class_names=plan.manifest.seen,
        crop_size=plan.config["resolved"]["crop_size"],
        epochs=plan.config["resolved"]["epochs"],
        options=method.options,
    )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices) for methods that draw from the global generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _predict(method: Method, images: ImageSet, description: str) -> dict[str, Scores]:
    parts: dict[str, list[Scores]] = {}
    with progress_bar(description, len(images), "img") as bar:
        for number, (pixels, _, positions) in enumerate(images.batches(PREDICT_BATCH), 1):
            try:
                for rejection, scores in ask(method, pixels).items():
                    parts.setdefault(rejection, []).append(scores)
            except RunError as error:
                where = f"method {method.name}, batch {number} (from image {images.image_ids[positions[0]]})"
                raise RunError(f"{where}: {error}") from error
            bar.update(len(positions))
    return {rejection: Scores.concatenate(batches) for rejection, batches in parts.items()}


def ask(method: Method, pixels: np.ndarray) -> dict[str, Scores]:
    """Checked answers to uint8 (N, S, S, 3), by rejection rule; RunError unless each has N rows of finite scores."""
    answers = method.predict(pixels)
    for scores in answers.values():
        if len(scores) != len(pixels):
            raise RunError(f"{len(scores)} scores for {len(pixels)} images.")
        scores.check()
    return answers


@contextmanager
def _wall_time(folder: Path) -> Iterator[None]:
    """Add the time spent inside to what earlier attempts at the same fit took; a killed one counts to its last file."""
    begun = folder / "begun"
    if begun.exists():
        changes = [path.stat().st_mtime for name in ("context", "model") for path in (folder / name).rglob("*")]
        _write_seconds(folder, _seconds(folder) + max(0.0, max(changes, default=0.0) - begun.stat().st_mtime))
    begun.touch()
    start = time.monotonic()
    try:
        yield
    finally:
        _write_seconds(folder, _seconds(folder) + time.monotonic() - start)
        begun.unlink()


def _write_seconds(folder: Path, seconds: float) -> None:
    write_atomically(folder / "wall_time.json", json.dumps(seconds).encode())


def _seconds(folder: Path) -> float:
    path = folder / "wall_time.json"
    return float(json.loads(path.read_text())) if path.exists() else 0.0


def _run_info(plan: _Plan, rejection: str, seconds: float) -> dict[str, Any]:
    manifest = plan.manifest
    return {
        "schema_version": RUN_SCHEMA_VERSION,
        "method": plan.cls.name,
        "rejection": rejection,
        "seed": plan.seed,
        "card": asdict(plan.cls.card),
        "config": plan.config,
        "manifest": {
            "manifest_id": manifest.manifest_id,
            "protocol": manifest.protocol,
            "fold": manifest.fold,
            "suite": manifest.suite,
            "seen": list(manifest.seen),
            "unseen": list(manifest.unseen),
            "crop_size": manifest.crop_size,
            "counts": manifest.counts(),
        },
        "versions": library_versions(),
        "git": git_revision(),
        "hardware": hardware(plan.device),
        "wall_time_s": round(seconds, 3),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
