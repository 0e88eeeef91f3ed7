"""``python -m osbench.benchmark.new_sources METHOD``: measure, and print the tables."""

from __future__ import annotations

from pathlib import Path

import click

from ...generation.dataset import Dataset
from ..manifest import open_manifests
from ..method import get_method, parse_options
from ..results import write_results
from .measure import IMAGES, SHOTS, measure
from .text import new_sources_markdown


@click.command()
@click.argument("method", default="osbench-1")
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--protocol", default="rotate", show_default=True, help="All its folds are measured.")
@click.option("--option", "options", multiple=True, help="KEY=VALUE of the method (repeatable).")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--shots", "shots", multiple=True, type=click.IntRange(min=1), default=SHOTS, show_default=True)
@click.option("--images", type=click.IntRange(min=1), default=IMAGES, show_default=True, help="Per generator.")
@click.option("--out", type=click.Path(path_type=Path), help="Keeps what is finished; the same command continues.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of RESULTS.md and results.json to add to.")
def main(
    method: str,
    data: Path,
    protocol: str,
    options: tuple[str, ...],
    seeds: int,
    shots: tuple[int, ...],
    images: int,
    out: Path | None,
    results: Path | None,
) -> None:
    """Measure what enrolling and discovering are worth with METHOD, on the unseen generators of every fold."""
    cls, dataset = get_method(method), Dataset.open(data)
    given = parse_options(cls, options)
    manifests = open_manifests(dataset, protocol, "all")
    found = measure(
        lambda: cls(**given), dataset, manifests, seeds=seeds, shots=sorted(shots), images=images, folder=out
    )
    if results is not None:
        write_results(results, [], new_sources=[found])
    click.echo(new_sources_markdown(found))


if __name__ == "__main__":
    main()
