"""Boards of all folds of a choosing protocol, and one table over them.

::

    OUT/<fold>-<manifest>/    the board of one fold (see :mod:`.board`)
    OUT/folds.json            the primary metric of every entry in every fold

Folds share images and seen generators, so that no interval is drawn over them: mean, lowest and highest are what they
say. Which generators are unseen where an entry is at its lowest tells more than the mean. Whether the order of the
entries depends on who is unseen is said by Kendall's tau between the folds, two by two: 1 where it never does, near 0
where one fold says nothing about another.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from ..benchmark.runs import Run, list_runs
from ..core.columns import text_columns
from ..core.documents import to_json
from ..core.errors import RunError
from ..core.publish import write_atomically
from ..generation.dataset import Dataset
from .board import Board, build_board
from .entry import Entry
from .sources import ManifestLookup

FOLDS_FILE = "folds.json"


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
    """One entry in every fold.

    Parameters
    ----------
    method, rule, variant : str
        As on the boards.
    values : dict of str to float
        Manifest id -> the primary metric.
    mean : float
        Over the folds that it is in.
    lowest, highest : FoldValue
        Where it is worst and best.
    floor : bool
        Whether it is the floor of an audit, which takes no part in ranks.
    ranks : tuple of int, optional
        Its best and its worst rank over the folds, among the entries that are in all of them; None if it is not.
    first : float, optional
        Share of the folds in which it is first of those.
    """

    method: str
    rule: str
    variant: str
    values: dict[str, float]
    mean: float
    lowest: FoldValue
    highest: FoldValue
    floor: bool = False
    ranks: tuple[int, int] | None = None
    first: float | None = None


@dataclass(frozen=True)
class Folds:
    """The document of ``folds.json``: entries in most folds first, then by mean.

    Parameters
    ----------
    primary : str
        The metric.
    folds : tuple of FoldBoard
        Their boards.
    entries : tuple of FoldEntry
        Everybody.
    stability : float, optional
        Mean of Kendall's tau-b over all pairs of folds, of the entries that are in all of them; None of fewer than two
        folds or two entries.
    """

    primary: str
    folds: tuple[FoldBoard, ...]
    entries: tuple[FoldEntry, ...]
    stability: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return to_json(self)


def build_fold_boards(
    runs_dir: Path,
    out: Path,
    *,
    dataset: Dataset | None = None,
    bootstrap: int = 1000,
    manifest_lookup: ManifestLookup | None = None,
) -> Folds:
    """Write a board for every manifest that runs below ``runs_dir`` answer, and a table over them.

    Parameters are those of :func:`.board.build_board`. RunError if there is no run, if one is damaged, or if runs are
    of several protocols, suites or crop sizes, whose mean would mean nothing.
    """
    runs = list_runs(runs_dir)
    _refuse_several_experiments(runs, runs_dir)
    folders = {run.manifest_id: f"{_plain(run.info.manifest.fold)}-{run.manifest_id[:8]}" for run in runs}
    boards: list[Board] = []
    for manifest_id, folder in sorted(folders.items(), key=lambda item: item[1]):
        board = build_board(
            runs_dir, dataset=dataset, manifest_id=manifest_id, bootstrap=bootstrap, manifest_lookup=manifest_lookup
        )
        board.save(out / folder)
        boards.append(board)
    entries, stability = _with_ranks(_entries(boards), [board.manifest_id for board in boards])
    document = Folds(
        primary=boards[0].primary,
        folds=tuple(FoldBoard(folders[b.manifest_id], b.fold, b.manifest_id, b.unseen) for b in boards),
        entries=tuple(entries),
        stability=stability,
    )
    text = json.dumps(document.to_json(), indent=2, allow_nan=False) + "\n"
    write_atomically(out / FOLDS_FILE, text.encode())
    return document


def _refuse_several_experiments(runs: Sequence[Run], runs_dir: Path) -> None:
    made = [(run.info.manifest, run.info.config) for run in runs]
    found = {f"{manifest.suite}, {manifest.protocol}, crop {config.crop_size} px" for manifest, config in made}
    if len(found) > 1:
        raise RunError(
            f"{runs_dir} holds runs of {len(found)} experiments ({'; '.join(sorted(found))}), whose folds have no "
            "common mean: evaluate each into a runs folder of its own."
        )


def folds_text(document: Folds) -> str:
    """The entries for people, one line each."""
    rows = [["method", "rejection", "settings", "folds", "mean", "lowest", "highest", "ranks", "first"]]
    for entry in document.entries:
        ends = [f"{end.value:.3f} ({end.fold})" for end in (entry.lowest, entry.highest)]
        names = [entry.method, entry.rule, entry.variant or "-"]
        ranks = "-" if entry.ranks is None else "-".join(map(str, sorted(set(entry.ranks))))
        first = "-" if entry.first is None else f"{entry.first:.2f}"
        rows.append([*names, str(len(entry.values)), f"{entry.mean:.3f}", *ends, ranks, first])
    order = "" if document.stability is None else f"; order of entries: mean Kendall tau {document.stability:.2f}"
    return f"{document.primary} over {len(document.folds)} folds{order}\n{text_columns(rows)}"


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
        floor=entry.card.kind == "floor",
    )


def _with_ranks(entries: list[FoldEntry], manifests: Sequence[str]) -> tuple[list[FoldEntry], float | None]:
    """The entries with their ranks in every fold, and how stable the order is."""
    whole = [entry for entry in entries if len(entry.values) == len(manifests) and not entry.floor]
    if len(whole) < 2 or len(manifests) < 2:
        return entries, None
    values = np.array([[entry.values[manifest] for manifest in manifests] for entry in whole])
    ranks = 1 + (values[:, None] < values[None]).sum(1)
    pairs = [
        float(np.asarray(kendalltau(values[:, a], values[:, b]))[0]) for a, b in combinations(range(len(manifests)), 2)
    ]
    found = {
        id(entry): replace(entry, ranks=(int(own.min()), int(own.max())), first=float(np.mean(own == 1)))
        for entry, own in zip(whole, ranks, strict=True)
    }
    # Undefined where all entries are equal in a fold.
    defined = [tau for tau in pairs if math.isfinite(tau)]
    return [found.get(id(entry), entry) for entry in entries], float(np.mean(defined)) if defined else None


def _plain(fold: str) -> str:
    """A folder name; the fold's own name may come from anybody."""
    return re.sub(r"[^A-Za-z0-9+_-]+", "-", fold)[:100].strip("-") or "fold"
