"""A run: what one fit of a method answered on one manifest, by all its rejection rules.

::

    RUNS/<method>/seed<k>-<hash>/run.json               how it was made (:mod:`.run_info`)
                                 predictions.parquet    what it answered for every validation and test image
                                 model/                 the fitted method (never part of a submission)
                                 laundered.parquet      answers to laundered test images, if asked (:mod:`.robustness`)
    RUNS/manifests/<manifest_id>.parquet                once for all runs on it

Numbers are not part of a run: they are derived from its predictions whenever somebody asks. Reading and scoring need no
torch, and open nothing that a run names.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.defaults import RUNS
from ..core.errors import OsbenchError, RunError, UsageError, unknown_name
from ..core.publish import publishing_folder, sync_folder, write_atomically
from ..core.text import printable
from .answers import DEFAULT_THRESHOLD_RULE, Answers
from .manifest import Manifest, read_manifest, write_manifest
from .predictions import Predictions, read_predictions, write_predictions
from .robustness.surface import Laundered, check_clean, read_laundered, surface
from .run_info import RUN_FILE, RunInfo, read_run_info
from .score import Score

PREDICTIONS_FILE = "predictions.parquet"
MODEL_FOLDER = "model"
MANIFESTS_FOLDER = "manifests"

_NAMED_RUNS = 10

NATIVE = "native"
"""The rule that a run is read by unless another is named; of a method without one of that name, its first rule."""


@dataclass(frozen=True)
class Run:
    """A published run folder.

    Parameters
    ----------
    folder : Path
        Where it lies.
    info : RunInfo
        The checked content of ``run.json``.
    """

    folder: Path
    info: RunInfo

    @property
    def method(self) -> str:
        """Registered name of the method."""
        return self.info.method

    @property
    def seed(self) -> int:
        """Seed of the fit."""
        return self.info.seed

    @property
    def rules(self) -> tuple[str, ...]:
        """Rejection rules that it has answers of."""
        return self.info.rules

    @property
    def manifest_id(self) -> str:
        """Which manifest was answered."""
        return self.info.manifest.manifest_id

    @property
    def class_names(self) -> tuple[str, ...]:
        """The sources that the model knows: the seen generators, then those that joined later.

        ``candidate`` i of the predictions means ``class_names[i]``.
        """
        return (*self.info.manifest.seen, *(one.name for one in self.info.enrolled))

    @property
    def model(self) -> Path:
        """Folder of the fitted method (absent in a submission)."""
        return self.folder / MODEL_FOLDER

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Read and check ``run.json``; RunError in one line if anything about it is wrong."""
        if (folder / RUN_FILE).exists() or not folder.is_dir():
            return cls(folder, read_run_info(folder / RUN_FILE))
        raise RunError(f"{printable(folder)} is not a run: it has no {RUN_FILE}.{_run_nearby(folder)}")

    @classmethod
    def write(
        cls,
        folder: Path,
        info: RunInfo,
        predictions: Predictions,
        *,
        staging: Path | None = None,
        compact: bool = False,
    ) -> Run:
        """Publish a run: everything is written next to the target and renamed into place in one step.

        Parameters
        ----------
        folder : Path
            Where; a run that already lies there is replaced.
        info : RunInfo
            How it was made.
        predictions : Predictions
            Answers by every rule of ``info``.
        staging : Path, optional
            A folder of the same file system that becomes the run, with the ``model/`` that lies in it; it stays if
            something fails.
        compact : bool
            See :meth:`~.predictions.Predictions.to_table`.
        """
        if staging is None:
            with publishing_folder(folder) as partial:
                write_run_files(partial, info, predictions, compact=compact)
        else:
            staging.mkdir(parents=True, exist_ok=True)
            write_run_files(staging, info, predictions, compact=compact)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(staging, folder)
            sync_folder(folder.parent)
        return cls(folder, info)

    def labelled(self, label: str) -> Run:
        """This run under another label; only its ``run.json`` is written anew, and only if the label differs."""
        if label == self.info.label:
            return self
        info = RunInfo.from_json(replace(self.info, label=label).to_json(), str(self.folder))
        text = json.dumps(info.to_json(), indent=2, allow_nan=False) + "\n"
        write_atomically(self.folder / RUN_FILE, text.encode())
        return Run(self.folder, info)

    def rule(self, name: str = NATIVE) -> str:
        """The rule to read the run by: ``name``, or its first rule where it has no ``native`` one.

        UsageError for any other rule that it does not have.
        """
        if name in self.rules:
            return name
        if name == NATIVE:
            return self.rules[0]
        raise unknown_name(f"rejection rule of {self.method}", name, self.rules)

    def manifest(self) -> Manifest:
        """The manifest of this run, from its own folder ``manifests`` or that of the runs it lies in."""
        alone = (self.folder / MANIFESTS_FOLDER).is_dir()
        return find_manifest(self.folder if alone else self.folder.resolve().parents[1], self.manifest_id)

    def check_as_fitted(self) -> None:
        """RunError if a source joined after the fit: the published answers are not those of such a run's model."""
        if self.info.enrolled:
            joined = self.info.enrolled[0]
            raise RunError(
                f"{printable(self.folder)}: '{joined.name}' joined it after its fit, so its answers are those of "
                f"{joined.run}: it can attribute images, and cannot be scored, laundered or stand on a board."
            )

    def predictions(self, manifest: Manifest | None = None) -> Predictions:
        """The answers by every rule, checked against a manifest and in the order of its val and test rows.

        Without a manifest: against the one that lies with the run. RunError in one line if they do not fit exactly.
        """
        manifest = manifest or self.manifest()
        self.check_manifest(manifest)
        rows = len(manifest.rows("val", "test"))
        path = self.folder / PREDICTIONS_FILE
        return read_predictions(path, self.rules, len(manifest.seen), rows).join(manifest, printable(self.folder))

    def check_manifest(self, manifest: Manifest) -> None:
        """RunError unless this run says of the manifest what it is: a ``seen`` in another order names other makers."""
        where, said = printable(self.folder), self.info.manifest
        if manifest.manifest_id != said.manifest_id:
            raise RunError(
                f"{where} answers manifest {said.manifest_id[:12]}, not {manifest.manifest_id[:12]}: scores "
                "would not compare; evaluate again on this dataset."
            )
        for name in ("seen", "unseen", "protocol", "fold", "suite", "crop_size"):
            if getattr(said, name) != getattr(manifest, name):
                raise RunError(f"{where}: manifest.{name} of its {RUN_FILE} is not that of the manifest it names.")

    def answers(self, rule: str = NATIVE, manifest: Manifest | None = None) -> Answers:
        """The answers by one rule, with the truth (see :meth:`rule` and :meth:`predictions`)."""
        manifest = manifest or self.manifest()
        return Answers.of(self.info, self.rule(rule), self.predictions(manifest), manifest)

    def every_answer(self, manifest: Manifest | None = None) -> dict[str, Answers]:
        """Rule -> answers, of all rules, from one reading of the file."""
        manifest = manifest or self.manifest()
        predictions = self.predictions(manifest)
        return {rule: Answers.of(self.info, rule, predictions, manifest) for rule in self.rules}

    def laundered(self, manifest: Manifest | None = None) -> Laundered:
        """The answers to laundered test images, by cell; empty if it was never laundered. RunError if damaged."""
        manifest = manifest or self.manifest()
        found = read_laundered(self.folder, self.info, manifest)
        if found:
            check_clean(found, answers_to_test(self.predictions(manifest), manifest), self.folder)
        return found

    def score(
        self,
        rule: str = NATIVE,
        *,
        manifest: Manifest | None = None,
        threshold_rule: str = DEFAULT_THRESHOLD_RULE,
        bootstrap: int = 1000,
        seed: int = 0,
    ) -> Score:
        """Every number of this run by one rejection rule.

        Parameters
        ----------
        rule : str
            The rejection rule (see :meth:`rule`).
        manifest : Manifest, optional
            The manifest of the run; without it, the one that lies with the run.
        threshold_rule : str, optional
            How the threshold is chosen.
        bootstrap : int, optional
            Number of resamplings for the intervals.
        seed : int, optional
            Of the resampling.

        Returns
        -------
        Score
            Metrics with intervals, of every generator, and who was taken for whom.
        """
        self.check_as_fitted()
        manifest = manifest or self.manifest()
        answers = self.answers(rule, manifest)
        rows = surface(answers, self.laundered(manifest), answers.threshold(threshold_rule))
        return Score.of(answers, threshold_rule=threshold_rule, bootstrap=bootstrap, seed=seed, robustness=rows)

    def to_json(self) -> dict[str, Any]:
        """``folder``, and the document of ``run.json`` under ``info``."""
        return {"folder": str(self.folder), "info": self.info.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Run:
        """The run of a document that :meth:`to_json` made; RunError names the first wrong key."""
        return cls(Path(document["folder"]), RunInfo.from_json(document["info"], document["folder"]))

    def to_frame(self) -> pd.DataFrame:
        """One row per rejection rule: ``method``, ``seed``, ``rule``, ``fold``, ``manifest_id``, ``run``."""
        made = self.info.manifest
        rows = [(self.method, self.seed, rule, made.fold, made.manifest_id, str(self.folder)) for rule in self.rules]
        return pd.DataFrame(rows, columns=["method", "seed", "rule", "fold", "manifest_id", "run"])


def write_run_files(folder: Path, info: RunInfo, predictions: Predictions, *, compact: bool = False) -> None:
    """``run.json`` and ``predictions.parquet`` into a folder that is not published yet; RunError if they do not fit."""
    document = info.to_json()
    RunInfo.from_json(document, str(folder))  # what is written can be read again
    if predictions.check().rules != info.rules:
        raise RunError(f"{folder}: answers by {', '.join(predictions.rules)}, not by {', '.join(info.rules)}.")
    if predictions.n_classes != len(info.manifest.seen):
        raise RunError(
            f"{folder}: class scores for {predictions.n_classes} generators; {len(info.manifest.seen)} are seen."
        )
    write_predictions(predictions, folder / PREDICTIONS_FILE, compact=compact)
    (folder / RUN_FILE).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def answers_to_test(predictions: Predictions, manifest: Manifest) -> Predictions:
    """Of predictions in the order of the manifest's val and test rows, those of the test rows."""
    return predictions.take(np.asarray(manifest.rows("val", "test")["split"] == "test"))


def run_id(seed: int, config_hash: str) -> str:
    """Folder name of a run, e.g. ``seed0-1a2b3c4d``."""
    return f"seed{seed}-{config_hash}"


@dataclass(frozen=True)
class Refused:
    """A run folder that cannot be used, and why, in one line."""

    folder: Path
    reason: str


def find_runs(runs_dir: Path) -> tuple[list[Run], list[Refused]]:
    """All runs below ``runs_dir``, sorted by path, and the folders that look like one and are not.

    A folder that cannot be read is refused like any other: none vanishes. RunError if ``runs_dir`` is no folder.
    """
    if not runs_dir.is_dir():
        raise RunError(f"no runs folder {_here(runs_dir)}: run `{_evaluate(runs_dir)}` first.")
    runs: list[Run] = []
    refused: list[Refused] = []
    for folder in _run_folders(runs_dir, refused):
        try:
            runs.append(Run.open(folder))
        except OsbenchError as error:
            refused.append(Refused(folder, str(error)))
    return runs, refused


def list_runs(runs_dir: Path) -> list[Run]:
    """All runs below ``runs_dir``, sorted by path; RunError if there is none or one is damaged."""
    runs, refused = find_runs(runs_dir)
    if refused:
        raise RunError(refused[0].reason)
    if not runs:
        raise RunError(no_runs(runs_dir))
    return runs


def no_runs(runs_dir: Path) -> str:
    """The error message for a folder without runs; it names the folder that was probably meant."""
    return f"{_here(runs_dir)} holds no run.{_runs_nearby(runs_dir) or f' Run `{_evaluate(runs_dir)}` first.'}"


def only_run(runs_dir: Path = RUNS) -> Run:
    """The only run in a folder of runs; RunError if there is none, UsageError for several."""
    runs = list_runs(runs_dir)
    if len(runs) > 1:
        some = ", ".join(printable(run.folder) for run in runs[:_NAMED_RUNS])
        more = f" and {len(runs) - _NAMED_RUNS} more" if len(runs) > _NAMED_RUNS else ""
        raise UsageError(f"{_here(runs_dir)} holds {len(runs)} runs: say which one ({some}{more}).")
    return runs[0]


def _here(runs_dir: Path) -> str:
    return f"./{RUNS}" if runs_dir == RUNS else printable(runs_dir)


def _evaluate(runs_dir: Path) -> str:
    """The command whose runs go there."""
    place = "" if runs_dir == RUNS else f" --out {printable(runs_dir)}"
    return f"osbench evaluate --method proposed{place}"


def _runs_nearby(folder: Path) -> str:
    """`` Did you mean X?`` for a folder without runs of its own, where X is one or two levels away; else empty."""
    path = folder.absolute()
    inside = [path / "runs"] if _holds_runs(path / "runs") else []
    above = [p for p in (path.parent, path.parent.parent) if _holds_runs(p)] if _is_run_or_method(path) else []
    meant = [*inside, *above]
    return f" Did you mean {printable(meant[0])}?" if meant else ""


def _run_nearby(folder: Path) -> str:
    """The same for a folder that is no run."""
    path = folder.absolute()
    for pattern in (f"[!.]*/{RUN_FILE}", f"[!.]*/[!.]*/{RUN_FILE}", f"runs/[!.]*/[!.]*/{RUN_FILE}"):
        found = sorted(path.glob(pattern))
        if found:
            return f" Did you mean {printable(found[0].parent)}?"
    return ""


def _is_run_or_method(path: Path) -> bool:
    return (path / RUN_FILE).exists() or any(path.glob(f"[!.]*/{RUN_FILE}"))


def _holds_runs(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob(f"[!.]*/[!.]*/{RUN_FILE}"))


def _run_folders(runs_dir: Path, refused: list[Refused]) -> list[Path]:
    folders: list[Path] = []
    for method in _folders(runs_dir, refused):
        if method.name != MANIFESTS_FOLDER:
            folders += [run for run in _folders(method, refused) if _may_be_run(run, refused)]
    return folders


def _folders(parent: Path, refused: list[Refused]) -> Sequence[Path]:
    try:
        return sorted(path for path in parent.iterdir() if not path.name.startswith(".") and path.is_dir())
    except OSError as error:
        refused.append(Refused(parent, f"{printable(parent)}: cannot be read ({error.strerror})."))
        return []


def _may_be_run(folder: Path, refused: list[Refused]) -> bool:
    try:
        return any(path.name in (RUN_FILE, PREDICTIONS_FILE) for path in folder.iterdir())
    except OSError as error:
        refused.append(Refused(folder, f"{printable(folder)}: cannot be read ({error.strerror})."))
        return False


def store_manifest(runs_dir: Path, manifest: Manifest) -> Path:
    """Keep a manifest with the runs on it, so that they can be scored without the dataset."""
    path = runs_dir / MANIFESTS_FOLDER / f"{manifest.manifest_id}.parquet"
    if not path.exists():
        write_manifest(manifest, path)
    return path


def find_manifest(runs_dir: Path, manifest_id: str) -> Manifest:
    """The stored manifest of that id; RunError if it is not there or not that one."""
    if not manifest_id.isalnum():
        raise RunError(f"'{printable(manifest_id, 40)}' is not a manifest id.")
    path = runs_dir / MANIFESTS_FOLDER / f"{manifest_id}.parquet"
    if not path.is_file():
        raise RunError(f"manifest {manifest_id[:12]} is not in {printable(path.parent)}: give the dataset with --data.")
    manifest = read_manifest(path)
    if manifest.manifest_id != manifest_id:
        raise RunError(f"{printable(path)} holds manifest {manifest.manifest_id[:12]} under another name.")
    return manifest
