"""A run: what one method, one rejection rule and one seed answered on one manifest.

::

    RUNS/<method>/<run_id>/run.json               how it was made
                           predictions.parquet    what it answered for every validation and test image
                           model/                 the fitted method (never part of a submission)
                           laundered/             answers to laundered test images, if asked (nor this)
    RUNS/manifests/<manifest_id>.parquet          once for all runs on it

Numbers are not part of a run: they are derived from its predictions whenever somebody asks.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import RunError
from ..core.publish import partial_path
from .manifest import Manifest, read_manifest, write_manifest
from .method import Method, get_method
from .predictions import Predictions, read_predictions, write_predictions

RUN_SCHEMA_VERSION = 1
RUN_FILE = "run.json"
PREDICTIONS_FILE = "predictions.parquet"
MODEL_FOLDER = "model"
MANIFESTS_FOLDER = "manifests"

#: A run.json is a few kilobytes; a submitted one of a gigabyte is refused before it is read.
MAX_RUN_JSON_BYTES = 1 << 20

_KEYS: dict[str, type | tuple[type, ...]] = {
    "schema_version": int,
    "method": str,
    "rejection": str,
    "seed": int,
    "card": dict,
    "config": dict,
    "manifest": dict,
    "versions": dict,
    "git": (dict, type(None)),
    "hardware": dict,
    "wall_time_s": (int, float),
    "created": str,
}
_MANIFEST_KEYS: dict[str, type] = {
    "manifest_id": str,
    "protocol": str,
    "fold": str,
    "suite": str,
    "seen": list,
    "unseen": list,
    "crop_size": int,
    "counts": dict,
}


@dataclass(frozen=True)
class Run:
    """A published run folder.

    Attributes
    ----------
    info: the checked content of ``run.json``.
    """

    folder: Path
    info: dict[str, Any]

    @property
    def method(self) -> str:
        """Registered name of the method."""
        return self.info["method"]

    @property
    def rejection(self) -> str:
        """Name of the rejection rule."""
        return self.info["rejection"]

    @property
    def seed(self) -> int:
        """Seed of the fit."""
        return self.info["seed"]

    @property
    def manifest_id(self) -> str:
        """Which manifest was answered."""
        return self.info["manifest"]["manifest_id"]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The seen generators; ``candidate`` i of the predictions means ``class_names[i]``."""
        return tuple(self.info["manifest"]["seen"])

    @property
    def model(self) -> Path:
        """Folder of the fitted method (absent in a submission)."""
        return self.folder / MODEL_FOLDER

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Read and check ``run.json``; RunError in one line if anything about it is wrong."""
        return cls(folder, read_run_info(folder / RUN_FILE))

    @classmethod
    def write(
        cls,
        folder: Path,
        info: dict[str, Any],
        predictions: Predictions,
        model: Path | None = None,
        *,
        compact: bool = False,
    ) -> Run:
        """Publish a run: everything is written beside the target and renamed into place in one step.

        ``model`` is a folder whose files are hard-linked (copied across file systems). A run that already lies
        there is replaced. compact: see :func:`.predictions.write_predictions`.
        """
        check_run_info(info, str(folder))
        predictions.check()
        partial = partial_path(folder)
        for abandoned in folder.parent.glob(f".{folder.name}.partial-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            write_predictions(predictions, partial / PREDICTIONS_FILE, compact=compact)
            (partial / RUN_FILE).write_text(json.dumps(info, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            if model is not None:
                link_tree(model, partial / MODEL_FOLDER)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return cls(folder, info)

    def manifest(self) -> Manifest:
        """The manifest of this run, from the ``manifests`` folder of the runs it lies in."""
        return find_manifest(self.folder.resolve().parents[1], self.manifest_id)

    def predictions(self, manifest: Manifest | None = None) -> Predictions:
        """The answers; with a manifest: checked against it and in the order of its val and test rows."""
        predictions = read_predictions(self.folder / PREDICTIONS_FILE, n_classes=len(self.class_names))
        if manifest is None:
            return predictions
        if manifest.manifest_id != self.manifest_id:
            raise RunError(
                f"{self.folder} answers manifest {self.manifest_id[:12]}, not {manifest.manifest_id[:12]}: scores "
                "would not compare; evaluate again on this dataset."
            )
        return predictions.join(manifest, str(self.folder))


def load_model(run: Run, method_file: str | None = None) -> Method:
    """The fitted method of a run. ``method_file``: where the method is defined, if it is not registered.

    RunError for a run without a model, or if the file defines another method; UsageError for an unknown method.
    """
    cls = get_method(method_file or run.method)
    if cls.name != run.method:
        raise RunError(f"{run.folder} is a run of {run.method}, but {method_file} defines {cls.name}.")
    if not run.model.is_dir():
        raise RunError(f"{run.folder} has no model/ folder (a submission has none): evaluate again.")
    return cls.load(run.model)


def read_run_info(path: Path) -> dict[str, Any]:
    """The checked document of a ``run.json``; RunError in one line otherwise."""
    try:
        if path.stat().st_size > MAX_RUN_JSON_BYTES:
            raise RunError(f"{path} is {path.stat().st_size} bytes long; a run.json has at most {MAX_RUN_JSON_BYTES}.")
        info = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(f"{path.parent} is not a run: it has no {path.name}.") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not a readable JSON document: {error}.") from error
    check_run_info(info, str(path))
    return info


def check_run_info(info: Any, where: str) -> None:
    """RunError, naming ``where`` and the first bad key, unless ``info`` is a complete run document."""
    if not isinstance(info, dict):
        raise RunError(f"{where}: not a JSON object.")
    version = info.get("schema_version")
    if version != RUN_SCHEMA_VERSION:
        raise RunError(f"{where}: run schema version {version!r}, this osbench reads {RUN_SCHEMA_VERSION}.")
    _check_keys(info, _KEYS, where)
    _check_keys(info["manifest"], _MANIFEST_KEYS, f"{where}, manifest")
    for key in ("seen", "unseen"):
        names = info["manifest"][key]
        if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
            raise RunError(f"{where}: manifest.{key} is not a list of different names.")


def _check_keys(document: dict[str, Any], keys: Mapping[str, type | tuple[type, ...]], where: str) -> None:
    for key, kind in keys.items():
        if key not in document:
            raise RunError(f"{where}: key '{key}' is missing.")
        if not isinstance(document[key], kind) or isinstance(document[key], bool):
            raise RunError(f"{where}: key '{key}' is {document[key]!r:.40}, which is not of the expected type.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder by hard links; files are copied where the file system has no links."""

    def link(a: str, b: str) -> None:
        try:
            os.link(a, b)
        except OSError:
            shutil.copy2(a, b)

    shutil.copytree(source, target, copy_function=link)


def run_id(rejection: str, seed: int, config_hash: str) -> str:
    """Folder name of a run, e.g. ``never-seed0-1a2b3c4d``."""
    return f"{rejection}-seed{seed}-{config_hash}"


def list_runs(runs_dir: Path) -> list[Run]:
    """All runs under ``runs_dir``, sorted by path; RunError if there is none or one is damaged."""
    if not runs_dir.is_dir():
        raise RunError(f"no runs folder {runs_dir}: run `osbench evaluate --out {runs_dir}` first.")
    runs = [Run.open(path.parent) for path in _run_files(runs_dir)]
    if not runs:
        raise RunError(f"{runs_dir} holds no run: run `osbench evaluate --out {runs_dir}` first.")
    return runs


def _run_files(runs_dir: Path) -> Iterator[Path]:
    for path in sorted(runs_dir.glob(f"*/*/{RUN_FILE}")):
        if not any(part.startswith(".") for part in path.relative_to(runs_dir).parts):
            yield path


def store_manifest(runs_dir: Path, manifest: Manifest) -> Path:
    """Keep a manifest beside the runs on it, so that they can be scored without the dataset."""
    path = runs_dir / MANIFESTS_FOLDER / f"{manifest.manifest_id}.parquet"
    if not path.exists():
        write_manifest(manifest, path)
    return path


def find_manifest(runs_dir: Path, manifest_id: str) -> Manifest:
    """The stored manifest of that id; RunError if it is not there or not that one."""
    if not manifest_id.isalnum():
        raise RunError(f"'{manifest_id:.40}' is not a manifest id.")
    path = runs_dir / MANIFESTS_FOLDER / f"{manifest_id}.parquet"
    if not path.is_file():
        raise RunError(f"manifest {manifest_id[:12]} is not in {path.parent}: give the dataset with --data.")
    manifest = read_manifest(path)
    if manifest.manifest_id != manifest_id:
        raise RunError(f"{path} holds manifest {manifest.manifest_id[:12]} under another name.")
    return manifest
