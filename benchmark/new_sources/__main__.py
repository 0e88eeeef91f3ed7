"""``python -m osbench.benchmark.new_sources METHOD``: measure, and print the tables or the document."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...core.documents import to_json
from ...core.publish import write_atomically
from ...generation.dataset import Dataset
from ..manifest import open_manifests
from ..method import get_method, parse_options
from .measure import IMAGES, SHOTS, measure
from .text import new_sources_markdown

JSON_FILE, PAGE_FILE = "new-sources.json", "NEW_SOURCES.md"


@click.command()
@click.argument("method", default="osbench-1")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--protocol", default="rotate", show_default=True, help="All its folds are measured.")
@click.option("--option", "options", multiple=True, help="KEY=VALUE of the method (repeatable).")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--shots", "shots", multiple=True, type=click.IntRange(min=1), default=SHOTS, show_default=True)
@click.option("--images", type=click.IntRange(min=1), default=IMAGES, show_default=True, help="Per generator.")
@click.option("--out", type=click.Path(path_type=Path), help=f"Folder of {PAGE_FILE} and {JSON_FILE}, and of parts.")
def main(
    method: str,
    data: Path,
    protocol: str,
    options: tuple[str, ...],
    seeds: int,
    shots: tuple[int, ...],
    images: int,
    out: Path | None,
) -> None:
    """Measure what enrolling and discovering are worth with METHOD, on the unseen generators of every fold.

    The same command continues where it was interrupted, if --out is given.
    """
    cls, dataset = get_method(method), Dataset.open(data)
    given = parse_options(cls, options)
    manifests = open_manifests(dataset, protocol, "all")
    parts = None if out is None else out / "new-sources"
    found = measure(
        lambda: cls(**given), dataset, manifests, seeds=seeds, shots=sorted(shots), images=images, folder=parts
    )
    text = new_sources_markdown(found)
    if out is not None:
        document = json.dumps(to_json(found), indent=1, allow_nan=False) + "\n"
        write_atomically(out / JSON_FILE, document.encode())
        write_atomically(out / PAGE_FILE, (text + "\n").encode())
    click.echo(text)


if __name__ == "__main__":
    main()
