"""``osbench plan``: what making a suite would cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..core.defaults import SUITE
from .options import emit, handle_errors, json_option, names_and_paths


@click.command()
@click.option("--suite", default=SUITE, show_default=True, help="Name of a packaged suite, or path of a suite YAML.")
@click.option("--out", type=click.Path(path_type=Path), help="Dataset begun already: count what is missing there.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source (repeatable).")
@click.option("--count", type=int, help="Images per source.  [default: as the suite says]")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes, for the time on this machine.")
@click.option("--device", default="cpu", show_default=True, help="Where to measure: cpu, cuda, ...")
@click.option("--weights", multiple=True, metavar="SOURCE=FILE", help="Weights you have already (repeatable).")
@json_option
@handle_errors
def command(as_json: bool, weights: tuple[str, ...], **options: Any) -> None:
    """Images, disk, downloads and time of every source, and where each estimate comes from. Makes nothing.

    Sources whose weights are here are measured on one batch; GPU-hours are the catalog's, for one accelerator.
    """
    from ..generation.plan import plan, plan_text

    rows = plan(weights=names_and_paths("--weights", "SOURCE=FILE", weights), **options)
    emit(as_json, [asdict(row) for row in rows], plan_text(rows))
