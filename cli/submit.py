"""``osbench submit``: submit a fit."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.defaults import RUNS
from .options import emit, handle_errors, json_option


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "--to", "target", required=True, metavar="TARGET", help="A folder, hf://datasets/ORG/NAME or http(s)://HOST."
)
@click.option("--method", default=None, help="Which method, where RUNS holds several.")
@click.option("--dry-run", is_flag=True, help="Check everything, and send nothing.")
@json_option
@handle_errors
def command(runs: tuple[Path, ...], target: str, method: str | None, dry_run: bool, as_json: bool) -> None:
    """Submit one method with all its seeds: a folder of runs (default: runs), or the run folders themselves.

    Of each run go run.json and predictions.parquet, nothing else. To a dataset repository it is one pull request; the
    token comes from HF_TOKEN or `hf auth login`, the hub from HF_ENDPOINT. To a board's server (`osbench leaderboard
    serve`) it is one upload; the token of your team comes from OSBENCH_TOKEN. The same runs submitted again change
    nothing. What is printed is a checklist: what somebody needs to get the numbers again, and whether the runs say it.
    """
    from ..benchmark.runs import list_runs
    from ..leaderboard.checklist import checklist_text
    from ..leaderboard.submit import submit

    folders = runs or tuple(run.folder for run in list_runs(RUNS))
    receipt = submit(folders, target, method, dry_run=dry_run)
    emit(as_json, receipt.to_json(), f"{receipt.status}: {receipt.location}\n{checklist_text(receipt.checklist)}")
