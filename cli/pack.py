"""``osbench pack``: runs small enough to ship."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..core.defaults import RUNS
from .options import emit, handle_errors, json_option


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), default=RUNS)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("packed"), show_default=True, help="A folder of its own."
)
@json_option
@handle_errors
def command(runs: Path, out: Path, as_json: bool) -> None:
    """Copy all runs in the folder RUNS (default: runs) without their models, class scores as float16.

    Known scores and candidates stay exact, so the copy scores and ranks as RUNS does.
    """
    from ..benchmark.pack import pack_runs

    packed = pack_runs(runs, out)
    emit(as_json, asdict(packed), str(packed))
