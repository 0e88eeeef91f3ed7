"""``osbench attribute``: who made these images?"""

from __future__ import annotations

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
@click.option("--threshold-rule", default="accept-95", show_default=True, help="How the threshold is chosen.")
@click.option("--method", "method_file", default=None, help="path/to/file.py, if the run's method lives in a file.")
@click.option("--rule", default="native", show_default=True, help="Rejection rule; without that one, the run's first.")
@click.option("--caption", default=None, help="What the images show, for a method that reads captions.")
@json_option
@handle_errors
def command(
    images: tuple[Path, ...],
    run_folder: Path | None,
    threshold_rule: str,
    method_file: str | None,
    rule: str,
    caption: str | None,
    as_json: bool,
) -> None:
    """Attribute each IMAGE to a generator that the run has seen, or call it unknown.

    An image that cannot be read costs its own answer only.
    """
    from ..benchmark.attribute import NotAttributed, attribute
    from ..benchmark.runs import Run, only_run
    from ..core.errors import DatasetError

    run = Run.open(run_folder) if run_folder is not None else only_run()
    answers = attribute(images, run, rule=rule, threshold_rule=threshold_rule, method_file=method_file, caption=caption)
    width = max(len(answer.image) for answer in answers)
    source = max([len("source"), *(len(a.source) for a in answers if not isinstance(a, NotAttributed))])
    lines = [f"{'image':<{width}}  {'source':<{source}}  {'score':>9}  {'threshold':>9}  verdict   why"]
    lines += [
        f"{a.image:<{width}}  {'-':<{source}}  {'-':>9}  {'-':>9}  {'error':<8}  {a.error}"
        if isinstance(a, NotAttributed)
        else f"{a.image:<{width}}  {a.source:<{source}}  {a.known_score:>9.4g}  {a.threshold:>9.4g}  "
        f"{'accepted' if a.accepted else 'unknown ':<8}  {a.why}"
        for a in answers
    ]
    emit(as_json, [answer.to_json() for answer in answers], "\n".join(lines))
    bad = sum(isinstance(answer, NotAttributed) for answer in answers)
    if bad:
        raise DatasetError(f"{bad} of {len(answers)} images have no answer.")
