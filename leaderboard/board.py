"""A board: every run and submission of a folder that answers one manifest, grouped into entries, ranked, written out.

::

    OUT/index.html            the page, complete in one file
    OUT/leaderboard.json      suite, protocol, manifest, what was left out and why, entries with all their numbers
    OUT/leaderboard.parquet   the same numbers, one row per entry

Every number is computed here from the runs' predictions; nothing is fitted, and nothing that a run names is opened.
Scores of two manifests do not compare, so a board has one. What cannot be used is left out and named.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from ..benchmark.answers import DEFAULT_THRESHOLD_RULE, Answers, outcome_of
from ..benchmark.manifest import Manifest
from ..benchmark.metrics import defined_metrics, primary_metric
from ..benchmark.metrics.resampling import Resamples
from ..benchmark.robustness.laundering_score import laundered_af1
from ..benchmark.robustness.surface import Laundered, surface
from ..benchmark.runs import Refused, Run
from ..benchmark.scores import Scores
from ..benchmark.shots.curves import ShotCurves
from ..core.documents import Limits, from_json, to_json
from ..core.errors import OsbenchError, RunError
from ..core.progress import get_logger, progress_bar
from ..core.publish import write_together
from ..core.text import printable
from ..generation.audit_record import Audit, read_audit
from ..generation.dataset import Dataset
from . import cache
from .collect import Unit, choose, collect, of_manifest, reason
from .entry import Entry, Robustness, entry_of, with_variants
from .gallery import GallerySource, gallery, holds_images
from .placing import Scored, placed, ranks_note
from .site import render_page
from .sources import ManifestLookup, choose_manifest, find_board_dataset, generator_titles, lookup_manifest

BOARD_SCHEMA_VERSION = 2
PAGE_FILE, JSON_FILE, TABLE_FILE = "index.html", "leaderboard.json", "leaderboard.parquet"


@dataclass(frozen=True)
class RefusedRun:
    """A run or submission that is not on the board, and why, in one line."""

    run: str
    reason: str


@dataclass(frozen=True)
class MetricInfo:
    """A metric as readers need it."""

    title: str
    definition: str
    lower_is_better: bool


@dataclass(frozen=True)
class Counts:
    """Images of the manifest."""

    train: int
    val: int
    test_seen: int
    test_unseen: int


@dataclass(frozen=True)
class Board:
    """Entries on one manifest, best first.

    Parameters
    ----------
    suite, protocol, fold, manifest_id : str
        What was answered.
    seen, unseen : tuple of str
        Generators.
    titles : dict of str to str
        Generator -> its name in the literature.
    crop_size : int
        Side in pixels of the crops in the dataset; an entry's own is in its ``config``.
    counts : Counts
        Images of the manifest.
    primary : str
        The metric that ranks.
    ranks_note : str
        Why nobody has a rank; empty where somebody has.
    threshold_rule : str
        How thresholds were chosen.
    bootstrap : int
        Replicates of every interval.
    metrics : dict of str to MetricInfo
        Titles and definitions.
    created : str
        When the newest run was made, so that the same runs give the same board.
    osbench_version : str
        That built it.
    refused : tuple of RefusedRun
        What was left out.
    entries : tuple of Entry
        Best first; those that cannot be ranked last.
    gallery : tuple of GallerySource
        Sample images for the page; in no other file.
    audit : Audit, optional
        What trivial attributors found in the data set, where it is there and has been audited.
    shots : tuple of ShotCurves
        The metric against shots, over this board's fold and others; on the page alone.
    """

    suite: str
    protocol: str
    fold: str
    manifest_id: str
    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    titles: dict[str, str]
    crop_size: int
    counts: Counts
    primary: str
    ranks_note: str
    threshold_rule: str
    bootstrap: int
    metrics: dict[str, MetricInfo]
    created: str
    osbench_version: str
    refused: tuple[RefusedRun, ...]
    entries: Annotated[tuple[Entry, ...], Limits(longest=100_000)]
    schema_version: Literal[2] = BOARD_SCHEMA_VERSION
    gallery: tuple[GallerySource, ...] = field(default=(), repr=False)
    audit: Audit | None = None
    shots: tuple[ShotCurves, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """The document of ``leaderboard.json``; undefined numbers are None."""
        return {f.name: to_json(getattr(self, f.name)) for f in fields(self) if f.name not in ("gallery", "shots")}

    @classmethod
    def from_json(cls, document: Any, where: str = JSON_FILE) -> Board:
        """The board of a document that :meth:`to_json` made, without pictures; RunError names the first wrong key."""
        return from_json(cls, document, where, RunError)

    def to_frame(self) -> pd.DataFrame:
        """One row per entry: suite, protocol, fold and manifest, then as :meth:`.entry.Entry.to_frame`."""
        head = {name: getattr(self, name) for name in ("suite", "protocol", "fold", "manifest_id")}
        rows = pd.concat([entry.to_frame() for entry in self.entries], ignore_index=True)
        return pd.concat([pd.DataFrame([head] * len(rows)), rows], axis=1)

    def save(self, out: str | Path = "site") -> Path:
        """Write the page, the JSON and the table into a folder, all of them or none; returns the page.

        Parameters
        ----------
        out : str or Path
            The folder; what an earlier board left there is replaced.
        """
        out = Path(out)
        document = self.to_json()
        table = io.BytesIO()
        self.to_frame().to_parquet(table, index=False)
        files = {
            out / JSON_FILE: (json.dumps(document, indent=1, allow_nan=False) + "\n").encode(),
            out / TABLE_FILE: table.getvalue(),
            out / PAGE_FILE: render_page(
                document | {"gallery": to_json(self.gallery), "shots": to_json(self.shots)}
            ).encode(),
        }
        out.mkdir(parents=True, exist_ok=True)
        write_together(files)
        return out / PAGE_FILE


def leaderboard(
    runs: str | Path = "runs",
    *,
    data: str | Path | Dataset | None = None,
    rules: Collection[str] = (),
    manifest_id: str | None = None,
    bootstrap: int = 1000,
) -> Board:
    """Score and rank all runs and submissions in a folder.

    Parameters
    ----------
    runs : str or Path
        A folder of runs, or of submissions.
    data : str, Path or Dataset, optional
        The data set, for sample images and for manifests that do not lie with the runs. Without it, the folder ``data``
        next to the runs, if it is the one.
    rules : collection of str
        Only these rejection rules; all of a run without it.
    manifest_id : str, optional
        Which manifest, where the runs answer several.
    bootstrap : int
        Replicates of every interval.

    Returns
    -------
    Board
        What cannot be used is in ``refused``. RunError if no run is left.
    """
    folder = Path(runs)
    dataset = data if isinstance(data, Dataset) else find_board_dataset(folder, Path(data) if data else None)
    return build_board(folder, dataset=dataset, rules=rules, manifest_id=manifest_id, bootstrap=bootstrap)


def build_board(
    folder: str | Path = "runs",
    *,
    dataset: Dataset | None = None,
    manifest_id: str | None = None,
    bootstrap: int = 1000,
    rules: Collection[str] = (),
    manifest_lookup: ManifestLookup | None = None,
) -> Board:
    """Score and rank all runs and submissions in a folder.

    Parameters
    ----------
    folder : str or Path
        Runs, or submissions.
    dataset : Dataset, optional
        Where manifests are looked for that do not lie with the runs, and the page's sample images.
    manifest_id : str, optional
        The manifest, or the first characters of its id, where the runs answer several. Without it: of those that can
        be found, the one that most runs answer.
    bootstrap : int
        Replicates of every interval.
    rules : collection of str
        Only entries by these rejection rules. A method that has none of them keeps the one it is read by.
    manifest_lookup : callable, optional
        Manifest id -> manifest; without it, next to the runs and in the dataset.

    Returns
    -------
    Board
        What cannot be used is in ``refused``. RunError if no run is left.
    """
    folder = Path(folder)
    units, refused = collect(folder)
    manifest = choose_manifest(units, manifest_id, manifest_lookup or lookup_manifest(folder, dataset), folder)
    units, other = of_manifest(units, manifest)
    scored, bad = _score(units, manifest, folder, bootstrap, rules)
    refused = [*refused, *other, *bad]
    named = tuple(_named(item, folder) for item in sorted(refused, key=lambda item: item.folder.as_posix()))
    if not scored:
        raise RunError(f"no run in {printable(folder)} can be used; {named[0].run}: {named[0].reason}")
    unseen = len(manifest.unseen)
    entries = _ranked(scored, primary_metric(unseen))
    return Board(
        suite=manifest.suite,
        protocol=manifest.protocol,
        fold=manifest.fold,
        manifest_id=manifest.manifest_id,
        seen=manifest.seen,
        unseen=manifest.unseen,
        titles=generator_titles(manifest, dataset),
        crop_size=manifest.crop_size,
        counts=_counts(manifest),
        primary=primary_metric(unseen),
        ranks_note=ranks_note(entries),
        threshold_rule=DEFAULT_THRESHOLD_RULE,
        bootstrap=bootstrap,
        metrics={
            name: MetricInfo(m.title, m.definition, m.lower_is_better) for name, m in defined_metrics(unseen).items()
        },
        created=max(entry.created for entry in entries),
        osbench_version=_version(),
        refused=named,
        entries=tuple(entries),
        gallery=_gallery(dataset, manifest),
        audit=_audit(dataset, manifest),
    )


def _score(
    units: Sequence[Unit], manifest: Manifest, folder: Path, bootstrap: int, rules: Collection[str]
) -> tuple[list[Scored], list[Refused]]:
    """All entries without their ranks, in the order of their names, and what had to be left out."""
    groups: dict[tuple[str, str, str], list[Unit]] = {}
    for unit in units:
        groups.setdefault(unit.key, []).append(unit)
    scored: list[Scored] = []
    refused: list[Refused] = []
    with (
        progress_bar("leaderboard", len(groups), "fit") as bar,
        ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool,
    ):
        scorer = _Scorer(manifest, folder, rules, _resamples(manifest, bootstrap), pool)
        for key in sorted(groups):
            entries, bad = scorer.fit(groups[key])
            scored += entries
            refused += bad
            bar.update(1)
    cache.tidy()
    return scored, refused


@dataclass(frozen=True)
class _Scorer:
    """Scores the fits of one board; all of them share one drawing of the resamples."""

    manifest: Manifest
    folder: Path
    rules: Collection[str]
    resamples: Resamples
    pool: Executor

    def fit(self, units: list[Unit]) -> tuple[list[Scored], list[Refused]]:
        """The entries of one fit, one for each rule; a unit that cannot be read is replaced by its twin."""
        bad: list[Refused] = []
        while units:
            runs, taken, twins = choose(units)
            rules = self._rules_of(runs)
            if not rules:
                text = "the seeds of this entry have no rejection rule in common"
                return [], [*bad, *twins, *(Refused(unit.folder, f"{unit.folder}: {text}.") for unit in taken)]
            key = cache.content_key(runs, self.manifest.manifest_id, self.resamples.replicates, rules)
            found = cache.load(key) if key else None
            if found is None:
                answers: dict[str, list[Answers]] = {rule: [] for rule in rules}
                robustness: dict[str, list[Robustness]] = {rule: [] for rule in rules}
                damaged = next((r for u in taken if (r := self._read(u, answers, robustness)) is not None), None)
                if damaged is not None:
                    bad.append(damaged)
                    units = [unit for unit in units if unit.folder != damaged.folder]
                    continue
                found = [
                    entry_of(
                        sorted(answers[rule], key=lambda a: a.info.seed), robustness[rule], self.resamples, self.pool
                    )
                    for rule in rules
                ]
                if key:
                    cache.keep(key, found)
            where = tuple(_relative(run.folder, self.folder) for run in runs)
            fit = "/".join(taken[0].key)
            return [(replace(entry, runs=where), sides, fit) for entry, sides in found], [*bad, *twins]
        return [], bad

    def _rules_of(self, runs: Sequence[Run]) -> list[str]:
        """The rules that every seed has answers of, in the order of the first; of these the ones that are asked for."""
        shared = [rule for rule in runs[0].rules if all(rule in run.rules for run in runs)]
        if not self.rules:
            # Nothing is rejected in a closed set: all rules would give the same row.
            return shared if self.manifest.unseen else [runs[0].rule()]
        asked = [rule for rule in shared if rule in self.rules]
        return asked or [rule for rule in shared if rule == runs[0].rule()]

    def _read(
        self, unit: Unit, answers: dict[str, list[Answers]], robustness: dict[str, list[Robustness]]
    ) -> Refused | None:
        """Add the answers of a unit's runs; what is wrong with it, if anything is."""
        try:
            for run in unit.runs:
                every = run.every_answer(self.manifest)
                laundered = self._laundered(run)
                for rule, found in answers.items():
                    found.append(every[rule])
                    robustness[rule].append(self._robustness(every[rule], laundered))
        except Exception as error:  # any error from a foreign file: the board is built without it
            return Refused(unit.folder, reason(error))
        return None

    def _robustness(self, answers: Answers, laundered: Laundered) -> Robustness:
        threshold = answers.threshold()
        rows = surface(answers, laundered, threshold)
        return Robustness(rows, laundered_af1(answers, laundered, threshold, self.resamples))

    def _laundered(self, run: Run) -> Laundered:
        """Damaged answers to laundered images cost the entry its surface, not its place."""
        try:
            return run.laundered(self.manifest)
        except OsbenchError as error:
            get_logger().warning("no robustness surface: %s", error)
            return {}


def _resamples(manifest: Manifest, replicates: int) -> Resamples:
    """One drawing for the whole board: it depends on the images' generators alone, not on any answer to them."""
    images = len(manifest.rows("test"))
    nothing = Scores(np.zeros((images, len(manifest.seen))), np.zeros(images), np.zeros(images))
    return Resamples(outcome_of(nothing, manifest, "test"), replicates)


def _ranked(scored: Sequence[Scored], primary: str) -> list[Entry]:
    """Entries in the order of the board, with their names, what tells them apart, and their ranks."""
    entries = with_variants([entry for entry, _, _ in scored])
    return placed([(entry, sides, fit) for entry, (_, sides, fit) in zip(entries, scored, strict=True)], primary)


def _gallery(dataset: Dataset | None, manifest: Manifest) -> tuple[GallerySource, ...]:
    if dataset is None:
        return ()
    if not holds_images(dataset, manifest):
        get_logger().warning(
            "%s is not the dataset of manifest %s: no sample images.", dataset.path, manifest.manifest_id[:12]
        )
        return ()
    return gallery(dataset, manifest)


def _audit(dataset: Dataset | None, manifest: Manifest) -> Audit | None:
    if dataset is None or not holds_images(dataset, manifest):
        return None
    try:
        return read_audit(dataset)
    except OsbenchError as error:
        get_logger().warning("the audit of the data set is left out: %s", error)
        return None


def _named(item: Refused, folder: Path) -> RefusedRun:
    text = printable(item.reason.replace(f"{folder}/", ""), 500)
    name = _relative(item.folder, folder)
    return RefusedRun(name, text.removeprefix(f"{name}: ").removeprefix(f"{name}/"))


def _relative(path: Path, folder: Path) -> str:
    return printable(path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix(), 300)


def _counts(manifest: Manifest) -> Counts:
    unseen = manifest.rows("test")["openness"] == "unseen"
    train, val = len(manifest.rows("train")), len(manifest.rows("val"))
    return Counts(train, val, int(np.sum(~unseen)), int(np.sum(unseen)))


def _version() -> str:
    try:
        return version("osbench")
    except PackageNotFoundError:
        return "unknown"
