"""``osbench attribute``: who made these images?"""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option("--run", "run_folder", type=click.Path(path_type=Path), required=True, help="The run folder to ask.")
@click.option("--threshold-rule", default="accept-95", show_default=True, help="How the threshold is chosen.")
@click.option("--method", "method_file", default=None, help="path/to/file.py, if the run's method lives in a file.")
@json_option
@handle_errors
def command(
    images: tuple[Path, ...], run_folder: Path, threshold_rule: str, method_file: str | None, as_json: bool
) -> None:
    """Attribute each IMAGE to a generator that the run has seen, or call it unknown."""
    from ..benchmark.attribute import attribute
    from ..benchmark.runs import Run

    answers = attribute(images, Run.open(run_folder), threshold_rule=threshold_rule, method_file=method_file)
    width = max(len(answer.image) for answer in answers)
    source = max(len("source"), *(len(answer.source) for answer in answers))
    lines = [f"{'image':<{width}}  {'source':<{source}}  {'score':>9}  {'threshold':>9}  verdict   why"]
    lines += [
        f"{a.image:<{width}}  {a.source:<{source}}  {a.known_score:>9.4g}  {a.threshold:>9.4g}  "
        f"{'accepted' if a.accepted else 'unknown ':<8}  {a.why}"
        for a in answers
    ]
    emit(as_json, [answer.document() for answer in answers], "\n".join(lines))
