"""``osbench discover``: which new sources are behind rejected images?"""

from __future__ import annotations

import math
from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    help="The run folder to ask.  [default: the one in runs, if there is only one]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("discovered"),
    show_default=True,
    help="Folder of the contact sheets, new or empty.",
)
@click.option("--threshold-rule", default="accept-95", show_default=True, help="How the threshold is chosen.")
@click.option("--method", "method_file", default=None, help="path/to/file.py, if the run's method lives in a file.")
@click.option("--rule", default="native", show_default=True, help="Rejection rule; without that one, the run's first.")
@json_option
@handle_errors
def command(
    images: tuple[Path, ...],
    run_folder: Path | None,
    out: Path,
    threshold_rule: str,
    method_file: str | None,
    rule: str,
    as_json: bool,
) -> None:
    """Group the IMAGEs that a run rejects into likely new sources, with a contact sheet for each group.

    How many groups there are is found from the images alone; one is a possible answer. The silhouette of a group says
    how far it stands apart: towards 1 clearly, around 0 not at all.

    The next step is to give a group a name: osbench enroll.
    """
    from ..benchmark.discover import discover
    from ..benchmark.grouping import LEAST
    from ..benchmark.runs import Run, only_run
    from ..core.columns import text_columns

    run = Run.open(run_folder) if run_folder is not None else only_run()
    found = discover(images, run, out=out, rule=rule, threshold_rule=threshold_rule, method_file=method_file)
    lines = [f"left out: {one.error}" for one in found.left_out]
    lines += [f"{len(found.accepted) + found.rejected} images: {found.rejected} rejected, {len(found.accepted)} known"]
    if found.groups:
        rows = [
            (one.name, str(len(one.images)), _number(one.silhouette), one.most_alike, one.sheet or "-")
            for one in found.groups
        ]
        lines += [text_columns([("group", "images", "silhouette", "most alike", "contact sheet"), *rows])]
        lines += ["Next: osbench enroll NAME IMAGE... --out RUN2, with the images of a group (--json lists them)"]
    else:
        lines += [f"at least {LEAST} rejected images are needed to group them"]
    emit(as_json, found.to_json(), "\n".join(lines))


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
