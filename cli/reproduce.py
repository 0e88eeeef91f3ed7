"""``osbench reproduce``: the tables of a paper, made again and set beside the printed numbers."""

from __future__ import annotations

from pathlib import Path

import click

from .options import device_option, emit, handle_errors, jobs_option, json_option


@click.command()
@click.argument("paper")
@click.option("--table", "tables", type=int, multiple=True, help="2 or 3. Repeatable.  [default: all of the paper]")
@click.option(
    "--row", "rows", multiple=True, help="Only this row: a network of table 2, a method of table 3. Repeatable."
)
@click.option("--data", type=click.Path(path_type=Path), help="The suite at hand.  [default: OUT/data, the mini suite]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("build/reproduce"),
    show_default=True,
    help="Gets data/, cameras/ and runs/. The folder of 'osbench run' will do: what lies there is used.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("baselines"),
    show_default=True,
    help="Folder of RESULTS.md and results.json; tables that are there already are kept.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Fit with seeds 0 to N-1.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of every method.  [default: each method's own]")
@click.option(
    "--preset",
    default="paper-literal",
    show_default=True,
    help="Reading of ProxyNCA++ for the proposed method: paper-literal, official or osbench.",
)
@click.option(
    "--same-rate",
    multiple=True,
    metavar="NETWORK",
    help="Table 2: also pre-trained at the rate of scratch. Repeatable.",
)
@click.option(
    "--scenes", type=click.Path(path_type=Path), help="Photographs for the virtual cameras to take pictures of."
)
@click.option("--pretrain-epochs", type=click.IntRange(min=1), help="Where no weights are packaged.  [default: 18]")
@device_option
@jobs_option("Fits at a time, as in 'osbench evaluate'; pre-training is one by one.")
@json_option
@handle_errors
def command(
    paper: str,
    tables: tuple[int, ...],
    rows: tuple[str, ...],
    data: Path | None,
    out: Path,
    results: Path,
    seeds: int,
    epochs: int | None,
    preset: str,
    same_rate: tuple[str, ...],
    scenes: Path | None,
    pretrain_epochs: int | None,
    device: str,
    jobs: int,
    as_json: bool,
) -> None:
    """Make the tables of PAPER again: published, reproduced, difference, intervals.

    \b
    osbench reproduce fang2023 --table 2     five networks with and without camera pre-training
    osbench reproduce fang2023 --table 3     the proposed method against the others

    Everything that is missing is made first: images, pre-trained weights (on virtual cameras), runs. On two CPU cores
    the large networks take hours with the paper's 30 epochs; --epochs 10 takes a third. Interrupted? The same command
    continues. RESULTS.md says what a comparison on this suite may claim and what not.
    """
    from ..baselines.reproduction.reproduce import reproduce

    document, page = reproduce(
        paper,
        tables,
        rows=rows,
        data=data,
        out=out,
        results=results,
        seeds=seeds,
        epochs=epochs,
        preset=preset,
        same_rate=same_rate,
        scenes=scenes,
        pretrain_epochs=pretrain_epochs,
        device=device,
        jobs=jobs,
    )
    emit(as_json, document, f"{page.read_text('utf-8')}\nWritten: {page}")
