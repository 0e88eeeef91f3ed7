"""``osbench submit``: hand a fit in."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--to", "target", required=True, metavar="TARGET", help="A folder, or hf://datasets/ORG/NAME.")
@click.option("--method", default=None, help="Which method, where RUNS holds several.")
@json_option
@handle_errors
def command(runs: tuple[Path, ...], target: str, method: str | None, as_json: bool) -> None:
    """Submit one method with all its seeds: a folder of runs, or the run folders themselves.

    Of each run go run.json and predictions.parquet, nothing else. To a dataset repository it is one pull request; the
    token comes from HF_TOKEN or `hf auth login`, the hub from HF_ENDPOINT. The same runs submitted again change
    nothing.
    """
    from ..leaderboard.submit import submit

    receipt = submit(runs, target, method)
    emit(as_json, receipt.to_json(), f"{receipt.status}: {receipt.location}")
