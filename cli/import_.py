"""``osbench import``: make a dataset of a published one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.columns import text_columns
from ..core.defaults import DATA
from .options import emit, handle_errors, json_option

if TYPE_CHECKING:
    from ..generation.importers import Fault
    from ..generation.importing import SurveyRow

_SHOWN_FAULTS = 10


@click.command()
@click.argument("reader")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DATA,
    show_default=True,
    help="Folder of the dataset; made if missing.",
)
@click.option(
    "--canonical/--as-published",
    default=True,
    show_default=True,
    help="Compress and crop all pictures alike, so that no file format tells their source; or keep every JPEG and PNG "
    "byte for byte.",
)
@click.option(
    "--crop-size",
    type=int,
    help="Side of the crop in pixels; smaller pictures are left out.  [default: the largest multiple of 8 that fits "
    "every picture, up to what the reader proposes]",
)
@click.option("--licence", help="What the publisher's page says, where the reader does not know it.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes; changes no byte of the result.")
@click.option("--engine", default="local", show_default=True, help="What schedules the shards.")
@click.option("--dry-run", is_flag=True, help="Print sources, counts, sizes and formats, and make nothing.")
@json_option
@handle_errors
def command(reader: str, folder: Path, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Make, or finish, a dataset of a published one, whose pictures lie in FOLDER as its authors laid them out.

    READER knows the layout: see osbench list importers. Run the same command again after any interruption.

    A file that is no picture, a link, or something that does not belong there is named and left out; everything else is
    imported. The published split is kept in the column split_hint.
    """
    if dry_run:
        _print_survey(reader, folder, options["licence"], as_json)
        return
    from ..generation.importing import import_dataset

    read: list[int] = []
    dataset, faults = import_dataset(reader, folder, on_made=read.append, **options)
    images = sum(source["count"] for source in dataset.info["sources"]) - len(dataset.left_out())
    document = {
        "dataset": str(dataset.path),
        "suite": dataset.suite,
        "crop_size": dataset.crop_size,
        "pictures": dataset.info["recipe"]["existing"],
        "sources": dataset.sources(None),
        "images": images,
        "read": read[0],
        "left_out": [asdict(fault) for fault in faults],
    }
    new = "nothing to read" if not read[0] else f"{read[0]:,} of them read now"
    how = f"pictures {document['pictures']}, crops of {dataset.crop_size} px"
    lines = [f"{dataset.path}: {images:,} images from {len(dataset.sources())} sources, {new} ({how})"]
    emit(as_json, document, "\n".join([*lines, *_fault_lines(faults)]))


def _print_survey(reader: str, folder: Path, licence: str | None, as_json: bool) -> None:
    from ..generation.importing import list_pictures, survey

    rows, faults = survey(list_pictures(reader, folder), licence)
    document = {"sources": [asdict(row) for row in rows], "left_out": [asdict(fault) for fault in faults]}
    emit(as_json, document, "\n".join([_survey_text(rows), *_fault_lines(faults)]))


def _survey_text(rows: Sequence[SurveyRow]) -> str:
    table = [("source", "pictures", "size", "formats", "pixels", "licence")]
    table += [
        (
            row.source,
            f"{row.pictures:,}",
            f"{row.bytes / 1e6:,.1f} MB",
            ", ".join(f"{name} {count:,}" for name, count in sorted(row.formats.items())),
            ", ".join(f"{name} {count:,}" for name, count in sorted(row.sizes.items())[:4]),
            row.licence,
        )
        for row in rows
    ]
    table.append(
        ("all", f"{sum(r.pictures for r in rows):,}", f"{sum(r.bytes for r in rows) / 1e6:,.1f} MB", "", "", "")
    )
    return text_columns(table)


def _fault_lines(faults: Sequence[Fault]) -> list[str]:
    """The first faults, one line each, and how many more there are."""
    lines = [
        f"left out: {fault.reason if fault.member in fault.reason else f'{fault.member}: {fault.reason}'}"
        for fault in faults[:_SHOWN_FAULTS]
    ]
    more = len(faults) - len(lines)
    return [*lines, f"left out: {more:,} more, see --json"] if more > 0 else lines
