"""``osbench submit``: hand a run in."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, metavar="TARGET", help="A folder, or hf://datasets/ORG/NAME.")
@json_option
@handle_errors
def command(run: Path, target: str, as_json: bool) -> None:
    """Submit the run folder RUN (its run.json and predictions.parquet, nothing else).

    To a dataset repository it is one pull request; the token comes from HF_TOKEN or `hf auth login`, the hub from
    HF_ENDPOINT. The same run submitted again changes nothing.
    """
    from ..leaderboard.submit import submit

    receipt = submit(run, target)
    emit(as_json, receipt, f"{receipt['status']}: {receipt['location']}")
