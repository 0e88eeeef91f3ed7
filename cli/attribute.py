"""``osbench attribute``: who made these pictures?"""

from __future__ import annotations

from pathlib import Path

import click

from .options import emit, handle_errors, json_option


@click.command()
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option(
    "--list",
    "list_file",
    type=click.Path(path_type=Path),
    default=None,
    help="Also the pictures of this text file, one path in a line.",
)
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    help="The run folder to ask.  [default: the one in runs; without a folder runs, the one that comes with osbench]",
)
@click.option("--crops", type=click.IntRange(min=1), default=16, show_default=True, help="Most crops of a picture.")
@click.option("--camera", "cameras", multiple=True, metavar="NAME", help="A source of the run that is camera pictures.")
@click.option("--threshold-rule", default="accept-95", show_default=True, help="How the threshold is chosen.")
@click.option("--method", "method_file", default=None, help="path/to/file.py, if the run's method lives in a file.")
@click.option("--rule", default="native", show_default=True, help="Rejection rule; without that one, the run's first.")
@click.option("--caption", default=None, help="What the images show, for a method that reads captions.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write a row for each picture to this file.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write a report, a page for each picture.")
@json_option
@handle_errors
def command(
    images: tuple[str, ...],
    list_file: Path | None,
    run_folder: Path | None,
    crops: int,
    cameras: tuple[str, ...],
    threshold_rule: str,
    method_file: str | None,
    rule: str,
    caption: str | None,
    csv_file: Path | None,
    html_file: Path | None,
    as_json: bool,
) -> None:
    """Attribute each IMAGE to a generator that the run has seen, or call it unknown.

    An IMAGE is a file, a folder (all pictures below it) or a quoted pattern ("scans/**/*.jpg"). PNG, JPEG, WebP, TIFF,
    BMP and GIF are read; CMYK and 16 bits are converted, and a note says so. One that cannot be read is a row with its
    error, and the exit code is 1 in the end.

    A picture is judged by several crops that do not overlap, with a threshold made for their number. Every answer comes
    with what it rests on: which sources the run knows, on what content, and how often it errs. "unknown" means none of
    these, and not "a photograph".

    \b
      osbench attribute photo.png                          with the run that comes with osbench
      osbench attribute scans --html report.html           a page for each picture
      osbench attribute "scans/*.jpg" --run runs/osbench-2/seed0-* --csv answers.csv
    """
    from ..asking import attribute
    from ..benchmark.attribution import NotAttributed
    from ..benchmark.attribution_table import answers_csv, answers_text
    from ..benchmark.picture_files import listed_files
    from ..core.errors import DatasetError, UsageError
    from ..core.publish import write_atomically

    given = [*images, *(listed_files(list_file) if list_file is not None else [])]
    if not given:
        raise UsageError("no picture to attribute: give files, folders, patterns or --list FILE.")
    answers = attribute(
        given,
        run_folder,
        rule=rule,
        threshold_rule=threshold_rule,
        method_file=method_file,
        caption=caption,
        crops=crops,
        cameras=cameras,
        previews=html_file is not None,
    )
    if csv_file is not None:
        write_atomically(csv_file, answers_csv(answers).encode())
    if html_file is not None:
        from ..benchmark.attribution_page import attribution_page

        write_atomically(html_file, attribution_page(answers).encode())
    emit(as_json, [answer.to_json() for answer in answers], "" if as_json else answers_text(answers))
    bad = sum(isinstance(answer, NotAttributed) for answer in answers)
    if bad:
        raise DatasetError(f"{bad} of {len(answers)} images have no answer.")
