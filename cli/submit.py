"""``osbench submit``: submit a fit."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.defaults import RUNS
from .options import emit, handle_errors, json_option


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1)
@click.option("--to", "target", required=True, metavar="TARGET", help="A folder, or hf://datasets/ORG/NAME.")
@click.option("--method", default=None, help="Which method, where RUNS holds several.")
@json_option
@handle_errors
def command(runs: tuple[Path, ...], target: str, method: str | None, as_json: bool) -> None:
    """Submit one method with all its seeds: a folder of runs (default: runs), or the run folders themselves.

    Of each run go run.json and predictions.parquet, nothing else. To a dataset repository it is one pull request; the
    token comes from HF_TOKEN or `hf auth login`, the hub from HF_ENDPOINT. The same runs submitted again change
    nothing.
    """
    from ..benchmark.runs import list_runs
    from ..leaderboard.submit import submit

    folders = runs or tuple(run.folder for run in list_runs(RUNS))
    receipt = submit(folders, target, method)
    emit(as_json, receipt.to_json(), f"{receipt.status}: {receipt.location}")
