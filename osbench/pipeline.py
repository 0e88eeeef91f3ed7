"""``osbench run``: the whole pipeline of an experiment, from generators to the board and the table of results.

Every step resumes by itself, so that running the pipeline again after an interruption continues where it stopped, and
running a finished pipeline again only rebuilds the page.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .benchmark.audit.floors import audit_with_floors, has_floors
from .benchmark.experiment import Experiment, load_experiment
from .benchmark.manifest import Manifest, generator_architectures, open_manifests
from .benchmark.orchestrator import ExperimentRuns, check_experiment, run_experiment
from .benchmark.result import Result, ShotsResult
from .benchmark.results import result_of, write_results
from .benchmark.robustness.treatments import Grid
from .benchmark.shots.results import shots_results
from .core.defaults import EXPERIMENT
from .core.errors import DatasetError, RunError
from .core.progress import get_logger
from .generation.audit_record import read_audit
from .generation.dataset import Dataset
from .generation.generate import generate
from .leaderboard.board import PAGE_FILE, Board, build_board
from .leaderboard.folds import Folds, build_fold_boards


@dataclass(frozen=True)
class PipelineResult:
    """The results of a finished pipeline.

    Parameters
    ----------
    found : ExperimentRuns
        The runs, and what was left out or failed.
    board : Board or Folds
        The board, or the table over the boards of several folds.
    page : Path
        What to open: the board's page, or the folder of several.
    results : Path
        ``RESULTS.md``.
    seconds : dict of str to float
        Step -> wall time.
    """

    found: ExperimentRuns
    board: Board | Folds
    page: Path
    results: Path
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    experiment: Experiment | str | Path = EXPERIMENT,
    out: str | Path = f"build/{EXPERIMENT}",
    *,
    data: str | Path | None = None,
    entries: Sequence[str] = (),
    suite: str | None = None,
    count: int | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    results: str | Path | None = None,
    grid: Grid | None = None,
    workers: int | None = None,
    jobs: int = 1,
    device: str = "cpu",
) -> PipelineResult:
    """Run the whole pipeline of an experiment below a folder: ``data``, ``runs``, ``leaderboard``, ``RESULTS.md``.

    Parameters
    ----------
    experiment : Experiment, str or Path
        A packaged experiment, the path of a file, or an experiment.
    out : str or Path
        The folder.
    data : str or Path, optional
        A data set that is there already; without it, the experiment's suite is generated into ``out/data``.
    entries : sequence of str
        Only these labels; all without it.
    suite, count, seeds, epochs : optional
        Instead of the experiment's own.
    results : str or Path, optional
        Folder of ``RESULTS.md`` and ``results.json``; tables of other experiments in it are kept. ``out`` without it.
    grid : Grid, optional
        What test images are laundered with afterwards.
    workers : int, optional
        Generating processes; one per core without it.
    jobs : int
        Fits at a time.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    UsageError
        For unknown names, before anything is made.
    RunError
        If no entry could be fitted.
    """
    loaded = experiment if isinstance(experiment, Experiment) else load_experiment(experiment)
    asked = replace(
        loaded.chosen(entries),
        suite=suite or loaded.suite,
        count=count or loaded.count,
        seeds=seeds or loaded.seeds,
        epochs=epochs or loaded.epochs,
    )
    check_experiment(asked)
    folder, seconds = Path(out), {}
    with _step(1, "generate", f"{asked.suite}", seconds):
        dataset = (
            Dataset.open(data)
            if data is not None
            else generate(
                asked.suite, folder / "data", count=asked.count, workers=workers or os.cpu_count() or 1, device=device
            )
        )
        manifests = open_manifests(dataset, asked.protocol, asked.fold, shots=asked.shots, repeats=asked.repeats)
    with _step(2, "evaluate", f"{len(asked.entries)} entries, {asked.seeds} seeds", seconds):
        found = run_experiment(asked, dataset, manifests, out=folder / "runs", device=device, grid=grid, jobs=jobs)
        if asked.floors:
            _audit(dataset, asked.protocol, folder / "runs", manifests)
    if not found.all_runs():
        reasons = [f"{label}: {reason}" for label, reason in (found.missing | found.failed).items()]
        raise RunError(f"experiment {asked.name}: no entry could be fitted; first {reasons[0]}")
    with _step(3, "leaderboard", "build the board", seconds):
        board, page = _board(asked, folder, dataset, manifests)
        lines = _lines(asked, found, board, dataset)
        answered = [] if lines else [manifest for manifest in manifests if _answered(found, manifest)]
        tables = [_result(asked, found, manifest, dataset) for manifest in answered]
        _, text = write_results(Path(results) if results is not None else folder, tables, lines)
    return PipelineResult(found, board, page, text, {name: round(value, 1) for name, value in seconds.items()})


def _audit(dataset: Dataset, protocol: str, runs: Path, manifests: Sequence[Manifest]) -> None:
    """Floors for the board, once; a data set that cannot be audited has none."""
    try:
        if read_audit(dataset) is not None and any(has_floors(runs, manifest) for manifest in manifests):
            return
        audit_with_floors(dataset, protocol, out=runs, manifests=manifests)
    except DatasetError as error:
        get_logger().warning("no floors: %s", error)


@contextmanager
def _step(number: int, name: str, what: str, seconds: dict[str, float]) -> Iterator[None]:
    get_logger().info("[%d/3] %s: %s", number, name, what)
    start = time.monotonic()
    yield
    seconds[name] = time.monotonic() - start


def _board(
    experiment: Experiment, folder: Path, dataset: Dataset, manifests: Sequence[Manifest]
) -> tuple[Board | Folds, Path]:
    site = folder / "leaderboard"
    if len(manifests) > 1:
        folds = build_fold_boards(folder / "runs", site, dataset=dataset, rules=_rules(experiment))
        return folds, folds.page(site) if folds.shots else site
    rules = _rules(experiment)
    board = build_board(folder / "runs", dataset=dataset, rules=rules, manifest_id=manifests[0].manifest_id)
    board.save(site)
    return board, site / PAGE_FILE


def _lines(experiment: Experiment, found: ExperimentRuns, board: Board | Folds, dataset: Dataset) -> list[ShotsResult]:
    """Of folds with few shots, whose tables would say little one by one, the lines over them."""
    curves = board.shots
    return shots_results(experiment, curves, found.runs, dataset.suite_version, left_out=found.missing | found.failed)


def _rules(experiment: Experiment) -> list[str]:
    """The rules that get a row on the board; none named means all."""
    named = [experiment.configuration(label).rules for label in experiment.entries]
    return [] if None in named else sorted({rule for rules in named for rule in rules or ()})


def _answered(found: ExperimentRuns, manifest: Manifest) -> bool:
    return any(run.manifest_id == manifest.manifest_id for run in found.all_runs())


def _result(experiment: Experiment, found: ExperimentRuns, manifest: Manifest, dataset: Dataset) -> Result:
    return result_of(
        experiment,
        found.runs,
        manifest,
        generator_architectures(dataset),
        dataset.suite_version,
        left_out=found.missing | found.failed,
    )
