"""``osbench run``: the whole line, from generators to the board."""

from __future__ import annotations

from pathlib import Path

import click

from .options import device_option, emit, handle_errors, json_option


@click.command()
@click.option("--suite", default="mini", show_default=True, help="Suite with a run profile.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Gets data/, runs/ and leaderboard/.")
@click.option("--count", type=click.IntRange(min=1), help="Images per source.  [default: as the suite says]")
@click.option("--seeds", type=click.IntRange(min=1), help="Fit with seeds 0 to N-1.  [default: as the profile says]")
@click.option("--method", "methods", multiple=True, help="Only this method of the profile (repeatable).")
@click.option("--workers", type=click.IntRange(min=1), help="Generating processes.  [default: one per core]")
@device_option
@json_option
@handle_errors
def command(
    suite: str,
    out: Path,
    count: int | None,
    seeds: int | None,
    methods: tuple[str, ...],
    workers: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Generate a suite's images, split them, evaluate the methods and build the board.

    Interrupted? The same command continues where it stopped.
    """
    from ..leaderboard.spread import spread_text
    from ..leaderboard.tables import board_text
    from ..line import run_line

    line = run_line(suite, out, count=count, seeds=seeds, methods=methods, workers=workers, device=device)
    document = {"page": str(line.page), "seconds": line.seconds, "leaderboard": line.board.to_json()}
    times = ", ".join(f"{name} {value:.0f} s" for name, value in line.seconds.items())
    emit(
        as_json,
        document,
        f"{board_text(line.board)}\n{spread_text(line.board)}\n\nTime: {times}\nOpen {line.page.resolve()}",
    )
