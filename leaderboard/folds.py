"""Boards of all folds of a protocol, and one table over them.

::

    OUT/<fold>-<manifest>/    the board of one fold (see :mod:`.board`)
    OUT/folds.json            the primary metric of every entry in every fold
    OUT/shots.json            of folds with few shots: the metric against shots, on the pages too
    OUT/shots-1.svg, .png     the same as figures, where matplotlib is installed

Folds share images and seen generators, so that no interval is drawn over them: mean, lowest and highest are what they
say. Which generators are unseen where an entry is at its lowest tells more than the mean. Folds that differ in shots
and repeats are lines (:mod:`..benchmark.shots`), with intervals.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmark.runs import Run, list_runs
from ..benchmark.shots.curves import ShotCurves
from ..benchmark.shots.drawing import FORMATS
from ..benchmark.shots.lines import shot_curves
from ..benchmark.shots.text import curves_text
from ..core.columns import text_columns
from ..core.documents import to_json
from ..core.errors import RunError, UsageError
from ..core.progress import get_logger
from ..core.publish import write_atomically
from ..generation.dataset import Dataset
from .board import PAGE_FILE, Board, build_board
from .entry import Entry
from .sources import ManifestLookup, lookup_manifest

FOLDS_FILE, SHOTS_FILE = "folds.json", "shots.json"


@dataclass(frozen=True)
class FoldBoard:
    """The board of one fold, in the folder of that name."""

    folder: str
    fold: str
    manifest_id: str
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class FoldValue:
    """A value and the fold that it belongs to."""

    value: float
    fold: str


@dataclass(frozen=True)
class FoldEntry:
    """One entry in every fold; ``values``: manifest id -> the primary metric."""

    method: str
    rule: str
    variant: str
    values: dict[str, float]
    mean: float
    lowest: FoldValue
    highest: FoldValue


@dataclass(frozen=True)
class Folds:
    """The document of ``folds.json``: entries in most folds first, then by mean.

    Parameters
    ----------
    primary : str
        The metric that ranks.
    folds : tuple of FoldBoard
        In the order of their folders.
    entries : tuple of FoldEntry
        Over all folds.
    first : str
        The folder to open first: of folds with few shots, the first repeat with the most of them.
    shots : tuple of ShotCurves
        Of folds with few shots; in a file of its own.
    """

    primary: str
    folds: tuple[FoldBoard, ...]
    entries: tuple[FoldEntry, ...]
    first: str
    shots: tuple[ShotCurves, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        document = to_json(self)
        del document["shots"]
        return document

    def page(self, out: Path) -> Path:
        """The page to open first, below the folder of the boards."""
        return out / self.first / PAGE_FILE


def build_fold_boards(
    runs_dir: Path,
    out: Path,
    *,
    dataset: Dataset | None = None,
    bootstrap: int = 1000,
    rules: Collection[str] = (),
    manifest_lookup: ManifestLookup | None = None,
) -> Folds:
    """Write a board for every manifest that runs below ``runs_dir`` answer, and a table over them.

    Parameters are those of :func:`.board.build_board`. RunError if there is no run, if one is damaged, or if runs are
    of several protocols, suites or crop sizes, whose mean would mean nothing.
    """
    runs = list_runs(runs_dir)
    _refuse_several_experiments(runs, runs_dir)
    folders = {run.manifest_id: f"{_plain(run.info.manifest.fold)}-{run.manifest_id[:8]}" for run in runs}
    lookup = manifest_lookup or lookup_manifest(runs_dir, dataset)
    manifests = {manifest_id: lookup(manifest_id) for manifest_id in folders}
    shots = tuple(shot_curves(runs, manifests, replicates=bootstrap))
    boards: list[Board] = []
    for manifest_id, folder in sorted(folders.items(), key=lambda item: item[1]):
        board = build_board(
            runs_dir,
            dataset=dataset,
            manifest_id=manifest_id,
            bootstrap=bootstrap,
            rules=rules,
            manifest_lookup=manifests.__getitem__,
        )
        elsewhere = {run.folder.relative_to(runs_dir).as_posix() for run in runs if run.manifest_id != manifest_id}
        refused = tuple(item for item in board.refused if item.run not in elsewhere)  # they have boards of their own
        replace(board, shots=shots, refused=refused).save(out / folder)
        boards.append(board)
    first = min(manifests.values(), key=lambda one: (-one.shots, one.repeat, folders[one.manifest_id]))
    document = Folds(
        primary=boards[0].primary,
        folds=tuple(FoldBoard(folders[b.manifest_id], b.fold, b.manifest_id, b.unseen) for b in boards),
        entries=tuple(_entries(boards)),
        first=folders[first.manifest_id],
        shots=shots,
    )
    _write(out / FOLDS_FILE, document.to_json())
    if shots:
        _write(out / SHOTS_FILE, {"shots": to_json(shots)})
        _draw(out, shots)
    return document


def _write(path: Path, document: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def _draw(out: Path, shots: Sequence[ShotCurves]) -> None:
    try:
        for number, curves in enumerate(shots, start=1):
            for ending in FORMATS:
                curves.save_figure(out / f"shots-{number}{ending}")
    except UsageError as error:
        get_logger().info("no figures: %s", error)


def _refuse_several_experiments(runs: Sequence[Run], runs_dir: Path) -> None:
    made = [(run.info.manifest, run.info.config) for run in runs]
    found = {f"{manifest.suite}, {manifest.protocol}, crop {config.crop_size} px" for manifest, config in made}
    if len(found) > 1:
        raise RunError(
            f"{runs_dir} holds runs of {len(found)} experiments ({'; '.join(sorted(found))}), whose folds have no "
            "common mean: evaluate each into a runs folder of its own."
        )


def folds_text(document: Folds) -> str:
    """The entries for people, one line each; of folds with few shots, the lines over them."""
    if document.shots:
        return "\n\n".join(map(curves_text, document.shots))
    rows = [["method", "rejection", "settings", "folds", "mean", "lowest", "highest"]]
    for entry in document.entries:
        ends = [f"{end.value:.3f} ({end.fold})" for end in (entry.lowest, entry.highest)]
        names = [entry.method, entry.rule, entry.variant or "-"]
        rows.append([*names, str(len(entry.values)), f"{entry.mean:.3f}", *ends])
    return f"{document.primary} over {len(document.folds)} folds\n{text_columns(rows)}"


def _entries(boards: Sequence[Board]) -> list[FoldEntry]:
    found: dict[str, tuple[Entry, dict[str, float]]] = {}
    names = {board.manifest_id: board.fold.rpartition("/")[2] for board in boards}
    for board in boards:
        for entry in board.entries:
            value = entry.metrics[board.primary].estimate
            if math.isfinite(value):
                found.setdefault(entry.id, (entry, {}))[1][board.manifest_id] = value
    rows = [_entry(entry, values, names) for entry, values in found.values()]
    return sorted(rows, key=lambda row: (-len(row.values), -row.mean, row.method, row.rule))


def _entry(entry: Entry, values: dict[str, float], names: dict[str, str]) -> FoldEntry:
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    return FoldEntry(
        method=entry.method,
        rule=entry.rule,
        variant=entry.variant,
        values=values,
        mean=float(np.mean(list(values.values()))),
        lowest=FoldValue(values[low], names[low]),
        highest=FoldValue(values[high], names[high]),
    )


def _plain(fold: str) -> str:
    """A folder name; the fold's own name may come from anybody."""
    return re.sub(r"[^A-Za-z0-9+_-]+", "-", fold)[:100].strip("-") or "fold"
