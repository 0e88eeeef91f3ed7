"""``osbench enroll``: a source joins a fitted run later."""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("name")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    help="The run that it joins; it is not changed.  [default: the one in runs, if there is only one]",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new run.")
@click.option("--method", "method_file", default=None, help="path/to/file.py, if the run's method lives in a file.")
@json_option
@handle_errors
def command(
    name: str,
    images: tuple[Path, ...],
    run_folder: Path | None,
    out: Path,
    method_file: str | None,
    as_json: bool,
) -> None:
    """Add the source NAME to a fitted run from a few of its IMAGEs, without training again.

    Ten images are a good beginning. The result is a run of its own, for `osbench attribute`; its threshold is that of
    the run it came from.

    An image that cannot be read is left out. Methods without references or features cannot do this, and say so.
    """
    from ..benchmark.enroll import enroll
    from ..benchmark.runs import Run, only_run

    run = Run.open(run_folder) if run_folder is not None else only_run()
    found = enroll(name, images, run, out, method_file=method_file)
    count = found.enrolled.images
    lines = [f"left out: {one.error}" for one in found.left_out]
    lines += [
        f"{name} joined {len(run.class_names)} sources from {count} image{'' if count == 1 else 's'}: {out}",
        f"rules: {', '.join(found.run.rules)}",
        f"Next: osbench attribute IMAGE --run {out}",
    ]
    emit(as_json, found.to_json(), "\n".join(lines))
