"""Boards of all folds of a protocol, and one table over them.

::

    OUT/<fold>-<manifest>/    the board of one fold (see :mod:`.board`)
    OUT/folds.json            the primary metric of every entry in every fold
    OUT/shots.json            of folds with few shots: the metric against shots, on the pages too
    OUT/shots-1.svg, .png     the same as figures, where matplotlib is installed

Folds share images and seen generators: their standard deviation describes them and is no standard error. Which
generators are unseen where an entry is at its lowest tells more than the mean. Whether the order of the entries depends
on who is unseen is said by Kendall's tau between the folds, two by two: 1 where it never does, near 0 where one fold
says nothing about another. Folds that differ in shots and repeats are lines (:mod:`..benchmark.shots`), with intervals.

Where the folds leave out at least five generators, the interval of *a new generator* is over them: one rate for each
(its mean over the folds that leave it out), whoever else was unseen there. It takes the place of the one on the boards
of the single folds, which have too few. The models of the folds share training images; it is a description.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from ..benchmark.metrics import generator_interval
from ..benchmark.metrics.intervals import LEAST_GENERATORS, Interval
from ..benchmark.runs import Run, list_runs
from ..benchmark.shots.curves import ShotCurves
from ..benchmark.shots.drawing import FORMATS
from ..benchmark.shots.lines import shot_curves
from ..benchmark.shots.text import curves_text
from ..core.columns import text_columns
from ..core.documents import Number, to_json
from ..core.errors import RunError, UsageError
from ..core.progress import get_logger
from ..core.publish import write_atomically
from ..generation.dataset import Dataset
from .board import PAGE_FILE, Board, build_board
from .entry import Entry
from .sources import ManifestLookup, lookup_manifest

FOLDS_FILE, SHOTS_FILE = "folds.json", "shots.json"

OVER_FOLDS = "generators over folds"
"""The kind of an interval of a new generator on a fold's board that rests on all folds."""


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
    name, method, rule, variant : str
        As on the boards.
    values : dict of str to float
        Manifest id -> the primary metric.
    mean, sd : float
        Of the values over the folds that it is in; ``sd`` with n - 1, NaN in a single fold.
    lowest, highest : FoldValue
        Where it is worst and best.
    new_generator : dict of str to Interval
        ``crr`` and ``auroc_macro`` of a generator that no fold has tested; empty where nobody is unseen.
    competes : bool
        Whether it takes part in ranks; floors of an audit and placeholders do not.
    ranks : tuple of int, optional
        Its best and its worst rank over the folds, among the entries that are in all of them; None if it is not.
    first : float, optional
        Share of the folds in which it is first of those.
    """

    name: str
    method: str
    rule: str
    variant: str
    values: dict[str, float]
    mean: float
    sd: Number
    lowest: FoldValue
    highest: FoldValue
    new_generator: dict[str, Interval]
    competes: bool = True
    ranks: tuple[int, int] | None = None
    first: float | None = None


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
    stability : float, optional
        Mean of Kendall's tau-b over all pairs of folds, of the entries that are in all of them; None of fewer than two
        folds or two entries.
    shots : tuple of ShotCurves
        Of folds with few shots; in a file of its own.
    """

    primary: str
    folds: tuple[FoldBoard, ...]
    entries: tuple[FoldEntry, ...]
    first: str
    stability: float | None = None
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
    runs = [run for run in list_runs(runs_dir) if not run.info.enrolled]
    _refuse_several_experiments(runs, runs_dir)
    folders = {run.manifest_id: f"{_plain(run.info.manifest.fold)}-{run.manifest_id[:8]}" for run in runs}
    lookup = manifest_lookup or lookup_manifest(runs_dir, dataset)
    manifests = {manifest_id: lookup(manifest_id) for manifest_id in folders}
    shots = tuple(shot_curves(runs, manifests, replicates=bootstrap))
    boards: list[Board] = []
    for manifest_id in sorted(folders, key=folders.__getitem__):
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
        boards.append(replace(board, shots=shots, refused=refused))
    forecasts = _new_generators(boards)
    for board in boards:
        _with_forecasts(board, forecasts).save(out / folders[board.manifest_id])
    entries, stability = _with_ranks(_entries(boards, forecasts), [board.manifest_id for board in boards])
    first = min(manifests.values(), key=lambda one: (-one.shots, one.repeat, folders[one.manifest_id]))
    document = Folds(
        primary=boards[0].primary,
        folds=tuple(FoldBoard(folders[b.manifest_id], b.fold, b.manifest_id, b.unseen) for b in boards),
        entries=tuple(entries),
        first=folders[first.manifest_id],
        stability=stability,
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
    names = ["method", "rejection", "settings", "folds", "mean", "sd", "lowest", "highest", "ranks", "first"]
    rows = [[*names, "CRR of a new generator"]]
    for entry in document.entries:
        ends = [f"{end.value:.3f} ({end.fold})" for end in (entry.lowest, entry.highest)]
        names = [entry.name, entry.rule, entry.variant or "-"]
        sd = f"{entry.sd:.3f}" if math.isfinite(entry.sd) else "-"
        ranks = "-" if entry.ranks is None else "-".join(map(str, sorted(set(entry.ranks))))
        first = "-" if entry.first is None else f"{entry.first:.2f}"
        forecast = _range(entry.new_generator["crr"]) if entry.new_generator else "-"
        rows.append([*names, str(len(entry.values)), f"{entry.mean:.3f}", sd, *ends, ranks, first, forecast])
    order = "" if document.stability is None else f"; order of entries: mean Kendall tau {document.stability:.2f}"
    return f"{document.primary} over {len(document.folds)} folds{order}\n{text_columns(rows)}"


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f} to {interval.high:.2f}" if math.isfinite(interval.low) else "cannot tell"


def _new_generators(boards: Sequence[Board]) -> dict[str, dict[str, Interval]]:
    """Entry id -> ``crr`` and ``auroc_macro`` of a new generator, from every generator that some fold leaves out."""
    rates: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for board in boards:
        for entry in board.entries:
            of_entry = rates.setdefault(entry.id, {})
            for generator in board.unseen:
                score = entry.per_generator[generator]
                if score.crr is not None and score.auroc is not None:
                    of_entry.setdefault(generator, []).append((score.crr.estimate, score.auroc.estimate))
    found: dict[str, dict[str, Interval]] = {}
    for entry_id, of_entry in rates.items():
        if not of_entry:
            found[entry_id] = {}
            continue
        crr, auroc = np.array([np.mean(pairs, axis=0) for pairs in of_entry.values()]).T
        found[entry_id] = {"crr": generator_interval(crr), "auroc_macro": generator_interval(auroc)}
    return found


def _with_forecasts(board: Board, forecasts: dict[str, dict[str, Interval]]) -> Board:
    """The board of one fold, whose entries forecast by all folds where it leaves out too few generators itself."""
    if len(board.unseen) >= LEAST_GENERATORS:
        return board
    over = {
        key: {name: replace(interval, kind=OVER_FOLDS) for name, interval in found.items()}
        for key, found in forecasts.items()
        if found and math.isfinite(found["crr"].low)
    }
    entries = tuple(replace(entry, new_generator=over.get(entry.id, entry.new_generator)) for entry in board.entries)
    return replace(board, entries=entries)


def _entries(boards: Sequence[Board], forecasts: dict[str, dict[str, Interval]]) -> list[FoldEntry]:
    found: dict[str, tuple[Entry, dict[str, float]]] = {}
    names = {board.manifest_id: board.fold.rpartition("/")[2] for board in boards}
    for board in boards:
        for entry in board.entries:
            value = entry.metrics[board.primary].estimate
            if math.isfinite(value):
                found.setdefault(entry.id, (entry, {}))[1][board.manifest_id] = value
    rows = [_entry(entry, values, names, forecasts[entry.id]) for entry, values in found.values()]
    return sorted(rows, key=lambda row: (-len(row.values), -row.mean, row.name, row.rule))


def _entry(
    entry: Entry, values: dict[str, float], names: dict[str, str], new_generator: dict[str, Interval]
) -> FoldEntry:
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    return FoldEntry(
        name=entry.name,
        method=entry.method,
        rule=entry.rule,
        variant=entry.variant,
        values=values,
        mean=float(np.mean(list(values.values()))),
        sd=float(np.std(list(values.values()), ddof=1)) if len(values) > 1 else math.nan,
        lowest=FoldValue(values[low], names[low]),
        highest=FoldValue(values[high], names[high]),
        new_generator=new_generator,
        competes=entry.card.competes,
    )


def _with_ranks(entries: list[FoldEntry], manifests: Sequence[str]) -> tuple[list[FoldEntry], float | None]:
    """The entries with their ranks in every fold, and how stable the order is."""
    whole = [entry for entry in entries if len(entry.values) == len(manifests) and entry.competes]
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
