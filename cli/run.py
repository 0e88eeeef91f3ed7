"""``osbench run``: the whole pipeline of an experiment, from generators to the board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.defaults import EXPERIMENT
from .options import device_option, emit, handle_errors, jobs_option, json_option

if TYPE_CHECKING:
    from ..pipeline import PipelineResult


@click.command()
@click.argument("experiment", default=EXPERIMENT)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Gets data/, runs/ and leaderboard/.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="A data set that is there.  [default: OUT/data, generated]"
)
@click.option("--entry", "entries", multiple=True, metavar="LABEL", help="Only this entry. Repeatable.")
@click.option("--suite", help="Generate this suite.  [default: as the experiment says]")
@click.option("--count", type=click.IntRange(min=1), help="Images per source.  [default: as the experiment says]")
@click.option("--seeds", type=click.IntRange(min=1), help="Seeds 0 to N-1.  [default: as the experiment says]")
@click.option("--epochs", type=click.IntRange(min=1), help="Of entries that do not say their own.")
@click.option("--launder", is_flag=True, help="Afterwards ask every run about laundered test images.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Folder of RESULTS.md and results.json, where tables of other experiments are kept.  [default: OUT]",
)
@click.option("--workers", type=click.IntRange(min=1), help="Generating processes.  [default: one per core]")
@click.option("--dry-run", is_flag=True, help="Print what would be fitted, and make nothing.")
@device_option
@jobs_option("Fits at a time, as in `osbench evaluate`.")
@json_option
@handle_errors
def command(
    experiment: str,
    out: Path,
    data: Path | None,
    entries: tuple[str, ...],
    suite: str | None,
    count: int | None,
    seeds: int | None,
    epochs: int | None,
    launder: bool,
    results: Path | None,
    workers: int | None,
    dry_run: bool,
    device: str,
    jobs: int,
    as_json: bool,
) -> None:
    """Run EXPERIMENT: generate images, split them, fit every entry, build the board and a table of results.

    EXPERIMENT is the name of a packaged experiment (`osbench list experiments`) or the path of a YAML file. An
    experiment names entries (a method with its options), seeds, a protocol, and perhaps what a paper prints.

    \b
    osbench run mini-matched --out build/demo             minutes on two cores
    osbench run fang2023-table3 --out build/table3        table 3 of paper 1 on the mini suite, hours
    osbench run mine.yaml --data data --out mine          an ablation of your own

    Interrupted? The same command continues where it stopped.
    """
    from ..benchmark.experiment import load_experiment
    from ..benchmark.orchestrator import check_experiment
    from ..benchmark.robustness.treatments import Grid
    from ..core.errors import RunError
    from ..pipeline import run

    if dry_run:
        asked = load_experiment(experiment).chosen(entries)
        check_experiment(asked)
        rows = [f"{label}: {asked.configuration(label).method}" for label in asked.entries]
        text = f"{asked.suite}, {asked.protocol}, {seeds or asked.seeds} seeds each:\n" + "\n".join(rows)
        emit(as_json, {"entries": list(asked.entries), "seeds": seeds or asked.seeds, "suite": asked.suite}, text)
        return
    result = run(
        experiment,
        out,
        data=data,
        entries=entries,
        suite=suite,
        count=count,
        seeds=seeds,
        epochs=epochs,
        results=results,
        grid=Grid() if launder else None,
        workers=workers,
        jobs=jobs,
        device=device,
    )
    document = {
        "page": str(result.page),
        "results": str(result.results),
        "seconds": result.seconds,
        "runs": [str(run.folder) for run in result.found.all_runs()],
        "left_out": result.found.missing,
        "failed": result.found.failed,
        "leaderboard": result.board.to_json(),
    }
    emit(as_json, document, "" if as_json else _text(result))
    if result.found.failed:
        raise RunError(f"{len(result.found.failed)} entries failed: {', '.join(result.found.failed)}.")


def _text(result: PipelineResult) -> str:
    from ..leaderboard.board import Board
    from ..leaderboard.folds import folds_text
    from ..leaderboard.separation import separation_text
    from ..leaderboard.tables import board_text

    board = result.board
    table = f"{board_text(board)}\n{separation_text(board)}" if isinstance(board, Board) else folds_text(board)
    left = [f"left out: {label}: {reason}" for label, reason in result.found.missing.items()]
    left += [f"failed: {label}: {reason}" for label, reason in result.found.failed.items()]
    times = ", ".join(f"{name} {value:.0f} s" for name, value in result.seconds.items())
    return "\n".join(
        [table, *left, "", f"Time: {times}", f"Results: {result.results}", f"Open {result.page.resolve()}"]
    )
