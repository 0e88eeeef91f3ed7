"""The harness: fit a method once per seed, ask it about validation and test, publish one run per fit.

Everything can be killed at any moment and started again: published runs are skipped, a fitted model is loaded, an
unfinished fit continues from the method's own checkpoints. A run that was damaged since is made again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from ..core.errors import OsbenchError, RunError, UsageError
from ..core.locking import exclusive
from ..core.progress import get_logger, progress_bar
from ..core.publish import write_atomically
from ..generation.dataset import Dataset
from .contract import answer_fault
from .environment import git_revision, hardware, library_versions
from .images import ImageSet, load_images
from .manifest import Manifest
from .method import Context, Method, get_method, source_sha256
from .method_code import code_sha256
from .predictions import Predictions
from .run_info import Config, ManifestInfo, RunInfo
from .runs import MODEL_FOLDER, Run, run_id, store_manifest
from .scores import Scores

#: Images per call of ``predict``; methods may cut them into smaller batches.
PREDICT_BATCH = 512

#: Images that a method is asked about before it is saved and after it is loaded again.
_CHECKED_IMAGES = 64

#: By so much may its scores differ then, in standard deviations of the scores and relative to their size, ...
_SAME_STD, _SAME_RELATIVE = 1e-2, 1e-4

#: ... for this share of the images: a rule that counts neighbours may jump for a few.
_SAME_SHARE = 0.98


@dataclass(frozen=True)
class Plan:
    """One fit: a method, its configuration and a seed on one manifest.

    Parameters
    ----------
    name : str
        The method as it was asked for: a registered name or a path.
    cls : type[Method]
        Its class.
    config : Config
        Its settings.
    manifest : Manifest
        What is asked.
    seed : int
        Of the fit.
    out : Path
        The runs folder.
    device : str
        Where it is fitted.
    """

    name: str
    cls: type[Method]
    config: Config
    manifest: Manifest
    seed: int
    out: Path
    device: str

    def unfitted(self) -> Method:
        """The method with its settings."""
        return self.cls(**self.config.options)

    @property
    def config_hash(self) -> str:
        """Of everything that makes two runs of one method and seed different."""
        return self.config.hash_on(self.manifest.manifest_id)

    @property
    def fit_folder(self) -> Path:
        """Where an unfinished fit lies."""
        return self.out / self.cls.name / f".fit-seed{self.seed}-{self.config_hash}"

    @property
    def run_folder(self) -> Path:
        """Where its run is published."""
        return self.out / self.cls.name / run_id(self.seed, self.config_hash)


def evaluate(
    method_name: str,
    dataset: Dataset,
    manifest: Manifest,
    *,
    seeds: Sequence[int],
    out: Path,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    crop_size: int | None = None,
    check: bool = False,
    label: str | None = None,
) -> list[Run]:
    """Fit and test a method; returns its runs, one per seed, with answers by all its rejection rules.

    Parameters
    ----------
    method_name : str
        A registered name or ``path/to/file.py``.
    dataset : Dataset
        The images.
    manifest : Manifest
        A manifest of that dataset.
    seeds : sequence of int
        Of the fits.
    out : Path
        The runs folder; runs go to ``out/<method>/seed<seed>-<hash>/``.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    options : mapping, optional
        Hyper-parameters that differ from the method's defaults.
    epochs : int, optional
        Short for the option ``epochs``; a method without one ignores it.
    crop_size : int, optional
        Side of the centre crop in pixels; as stored without it.
    check : bool
        Compare every image with its ``pixel_sha256`` first.
    label : str, optional
        What the runs are called on a board; without it, those that exist keep theirs.

    Raises
    ------
    UsageError
        Unknown names.
    DatasetError
        Bad images.
    RunError
        Answers that are not finite, a method that is another one after it was saved and loaded.
    """
    plans = plan_fits(
        method_name,
        dataset,
        manifest,
        seeds=seeds,
        out=out,
        device=device,
        options=options,
        epochs=epochs,
        crop_size=crop_size,
    )
    store_manifest(out, manifest)
    missing = [plan for plan in plans if not is_finished(plan)]
    if missing:
        images = load_images(dataset, manifest, crop_size=crop_size, check=check)
        for plan in missing:
            _run_seed(plan, images)
    runs = [Run.open(plan.run_folder) for plan in plans]
    _warn_of_other_code(get_method(method_name), runs)
    return runs if label is None else [run.labelled(label) for run in runs]


def plan_fits(
    method_name: str,
    dataset: Dataset,
    manifest: Manifest,
    *,
    seeds: Sequence[int],
    out: Path,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    crop_size: int | None = None,
) -> list[Plan]:
    """One plan for each seed; UsageError as :func:`evaluate`, whose parameters these are. Changes nothing."""
    cls = get_method(method_name)
    config = _config(cls, dict(options or {}), epochs, crop_size or dataset.crop_size)
    torch_device(device)
    return [Plan(method_name, cls, config, manifest, seed, out, device) for seed in seeds]


def is_finished(plan: Plan) -> bool:
    """Whether the run of a plan is there and whole; a damaged one is named in the log, and is to be made again."""
    if not plan.run_folder.exists():
        return False
    try:
        run = Run.open(plan.run_folder)
        if (run.method, run.seed, run.info.config.key) != (plan.cls.name, plan.seed, plan.config.key):
            raise RunError(f"{run.folder} holds a run of {run.method}, seed {run.seed}, with other settings.")
        run.predictions(plan.manifest)
    except OsbenchError as error:
        get_logger().warning("a damaged run is made again: %s", error)
        return False
    return True


def _warn_of_other_code(cls: type[Method], runs: Sequence[Run]) -> None:
    now = code_sha256(cls)
    other = [run for run in runs if run.info.code_sha256 != now]
    if other:
        get_logger().warning(
            "%s: %d of %d runs were made before its code changed, first %s; delete them to evaluate again",
            cls.name,
            len(other),
            len(runs),
            other[0].folder,
        )


def _config(cls: type[Method], given: dict[str, Any], epochs: int | None, crop_size: int) -> Config:
    """Defaults apart from given values, and what they resolve to: the identity of a run, apart from data and seed."""
    if epochs is not None and "epochs" in cls.defaults:
        given = given | {"epochs": epochs}
    return Config(
        given=given,
        defaults=dict(cls.defaults),
        options=cls(**given).options,
        crop_size=crop_size,
        method_sha256=source_sha256(cls),
    )


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


def _run_seed(plan: Plan, images: ImageSet) -> None:
    plan.fit_folder.mkdir(parents=True, exist_ok=True)
    get_logger().info("%s, seed %d", plan.cls.name, plan.seed)
    busy = RunError(f"{plan.fit_folder}: another 'osbench evaluate' is at this fit. Wait for it or stop it.")
    with exclusive(plan.fit_folder / "lock", busy):
        info = _run_info(plan)
        with _wall_time(plan.fit_folder):
            method = _fitted(plan, images)
            asked = images.subset(images.split_name != "train")
            answers = _predict(method, asked, f"{plan.cls.name} predict")
        predictions = Predictions.of(asked.image_ids, {rule: answers[rule] for rule in method.rejections})
        info = replace(
            info,
            rules=predictions.rules,
            precision=method.precision,
            seconds_per_image={part: round(seconds, 6) for part, seconds in method.seconds_per_image.items()},
            wall_time_s=round(_seconds(plan.fit_folder), 3),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        Run.write(plan.run_folder, info, predictions, staging=plan.fit_folder / "run")
        shutil.rmtree(plan.fit_folder)


def _fitted(plan: Plan, images: ImageSet) -> Method:
    """The fitted method on its device: loaded if this fit was finished before, else fitted (or resumed) now."""
    model = plan.fit_folder / "run" / MODEL_FOLDER
    device = torch_device(plan.device)
    if model.is_dir():
        return plan.cls.load(model).to(device)
    method = plan.unfitted()
    seed_everything(plan.seed)
    method.fit(images.split("train"), images.split("val"), _context(plan, method))
    partial = plan.fit_folder / ".model.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        method.save(partial)
    except SafetensorError as error:  # its text for a full disk, among others
        raise RunError(f"{partial}: the fitted model cannot be written: {error}") from error
    method = method.to(device)
    _check_loaded(method, plan.cls.load(partial).to(device), images.split("val"))
    model.parent.mkdir(exist_ok=True)
    os.replace(partial, model)
    return method


def _check_loaded(method: Method, loaded: Method, images: ImageSet) -> None:
    """RunError unless a method that was saved and loaded answers as it did before, to the first images."""
    few = images.subset(np.arange(min(len(images), _CHECKED_IMAGES)))
    try:
        before, after = (ask(one, few.pixels, few.captions) for one in (method, loaded))
    except RunError as error:
        raise RunError(f"method {method.name}: {error}") from error
    for rule, scores in before.items():
        other = after.get(rule)
        if other is None or not (
            _alike(scores.known_score, other.known_score) and _alike(scores.class_scores, other.class_scores)
        ):
            raise RunError(
                f"method {method.name}: after save and load it gives other answers (rule '{rule}') than before; mend "
                "its save or load."
            )


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    tolerance = _SAME_STD * float(first.std()) + _SAME_RELATIVE * np.abs(first)
    return float(np.mean(np.abs(first - second) <= tolerance)) >= _SAME_SHARE


def _context(plan: Plan, method: Method) -> Context:
    folder = plan.fit_folder / "context"
    folder.mkdir(exist_ok=True)
    return Context(
        seed=plan.seed,
        device=torch_device(plan.device),
        folder=folder,
        class_names=plan.manifest.seen,
        crop_size=plan.config.crop_size,
        epochs=method.options.get("epochs"),
        options=method.options,
        suite=plan.manifest.suite,
        sources=tuple(name for name, count in plan.manifest.counts().items() if count["train"]),
    )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices) for methods that draw from the global generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]


def _predict(method: Method, images: ImageSet, description: str) -> dict[str, Scores]:
    parts: dict[str, list[Scores]] = {}
    with progress_bar(description, len(images), "img") as bar:
        for number, (pixels, _, positions) in enumerate(images.batches(PREDICT_BATCH), 1):
            try:
                captions = None if images.captions is None else images.captions[positions]
                for rejection, scores in ask(method, pixels, captions).items():
                    parts.setdefault(rejection, []).append(scores)
            except RunError as error:
                where = f"method {method.name}, batch {number} (from image {images.image_ids[positions[0]]})"
                raise RunError(f"{where}: {error}") from error
            bar.update(len(positions))
    return {rejection: Scores.concatenate(batches) for rejection, batches in parts.items()}


def ask(
    method: Method, pixels: np.ndarray, captions: Sequence[str | None] | np.ndarray | None = None
) -> dict[str, Scores]:
    """Answers to uint8 (N, S, S, 3), by rejection rule; RunError unless each rule has N rows of finite scores.

    The captions, a text or None for each image, go to a method that reads them.
    """
    known: dict[str, Any] = {"captions": list(captions)} if method.reads_captions and captions is not None else {}
    answers = method.predict(pixels, **known)
    fault = answer_fault(answers, method.rejections, len(pixels))
    if fault is not None:
        raise RunError(f"{fault}.")
    return answers


@contextmanager
def _wall_time(folder: Path) -> Generator[None, None, None]:
    """Add the time spent inside to what earlier attempts at the same fit took; a killed one counts to its last file."""
    begun = folder / "begun"
    if begun.exists():
        changes = [path.stat().st_mtime for name in ("context", "run") for path in (folder / name).rglob("*")]
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


def _run_info(plan: Plan) -> RunInfo:
    """How the run is made; RunError before anything is fitted if a card or an option could not be written down."""
    method = plan.unfitted()
    info = RunInfo(
        method=plan.cls.name,
        seed=plan.seed,
        rules=tuple(plan.cls.rejections),
        card=method.described(),
        config=plan.config,
        manifest=ManifestInfo.of(plan.manifest),
        code_sha256=code_sha256(plan.cls),
        versions=library_versions(),
        git=git_revision(),
        hardware=hardware(str(torch_device(plan.device))),
        precision=plan.cls.precision,
        wall_time_s=0.0,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        normalised_distances=plan.cls.normalised_distances,
        label=method.label,
        training_free=method.training_free,
    )
    return RunInfo.from_json(info.to_json(), f"method {plan.cls.name}")
