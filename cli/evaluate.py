"""``osbench evaluate``: fit and test methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.columns import text_columns
from .options import device_option, emit, handle_errors, jobs_option, json_option

if TYPE_CHECKING:
    from ..benchmark.runs import Run
    from ..benchmark.survey import Summary, Survey


@click.command()
@click.option("--method", "methods", multiple=True, required=True, help="A name, path/to/file.py, or all. Repeatable.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The dataset folder.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The runs folder.")
@click.option("--protocol", default="fang2023", show_default=True, help="Its manifest is written if it is missing.")
@click.option("--fold", default=None, help="One fold of the protocol, or all. Not needed if there is only one.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Fit with seeds 0 to N-1.")
@click.option(
    "--rejection",
    "rejections",
    multiple=True,
    help="Only this rejection rule. Repeatable; default: all, which cost seconds more, not a training each.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=None, help="Instead of the method's own default.")
@click.option(
    "--crop-size", type=click.IntRange(min=1), default=None, help="Centre crop in pixels; default: as stored."
)
@device_option
@jobs_option(
    "Fits at a time, each in a process of its own with its share of the threads and its own memory on the device."
)
@click.option("--network", default=None, help="Embedding network of proposed; short for --option network=NAME.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="A hyper-parameter. Repeatable.")
@click.option("--check", is_flag=True, help="Compare every image with its recorded hash first.")
@click.option(
    "--launder",
    is_flag=True,
    help="Afterwards ask every run again about test images that were blurred, resized, moved and compressed, each by a "
    "few strengths. The threshold stays. Runs that exist are not fitted again.",
)
@click.option(
    "--launder-grid",
    default=None,
    metavar="AXIS=VALUES;...",
    help="The same with strengths of your own: 'quality=none,70;phase=0,4;resize=1,0.75;blur=0,1'. An axis that is not "
    "named stays clean.",
)
@json_option
@handle_errors
def command(
    methods: tuple[str, ...],
    data: Path,
    out: Path,
    protocol: str,
    fold: str | None,
    seeds: int,
    rejections: tuple[str, ...],
    epochs: int | None,
    crop_size: int | None,
    device: str,
    jobs: int,
    network: str | None,
    options: tuple[str, ...],
    check: bool,
    launder: bool,
    launder_grid: str | None,
    as_json: bool,
) -> None:
    """Fit methods on seen generators, ask them about validation and test, publish one run per rejection rule.

    Interrupted? The same command continues where it stopped; finished runs are skipped. With --method all, a method
    whose weights are not on this machine is left out and named, and one that fails does not stop the others.

    --jobs N makes N fits (a method, a seed, a fold) side by side: as many as fill a GPU and its memory, or many cores;
    on two cores it gains little. One that fails does not stop the others.

    --launder shows how much of a result survives a platform: after `osbench leaderboard build` the page has a heat map
    for every laundered run, and `osbench score RUN` prints it.
    """
    from ..benchmark.laundering import Grid, parse_grid
    from ..benchmark.manifest import open_manifests
    from ..benchmark.method import get_method, method_names, parse_options
    from ..benchmark.survey import summarize, survey
    from ..core.errors import RunError
    from ..generation.dataset import Dataset

    everything = "all" in methods
    names = method_names() if everything else list(dict.fromkeys(methods))
    if network is not None:
        options = (*options, f"network={network}")
    parsed = {name: parse_options(get_method(name), options) for name in names}
    grid = parse_grid(launder_grid) if launder_grid is not None else Grid() if launder else None
    dataset = Dataset.open(data)
    manifests = open_manifests(dataset, protocol, fold)
    found = survey(
        names,
        dataset,
        manifests,
        seeds=range(seeds),
        out=out,
        options=parsed,
        grid=grid,
        jobs=jobs,
        unattended=everything,
        check=check,
        device=device,
        rejections=rejections or None,
        epochs=epochs,
        crop_size=crop_size,
    )
    documents = [
        {
            "run": str(run.folder),
            "method": run.method,
            "rejection": run.rejection,
            "seed": run.seed,
            "fold": run.info["manifest"]["fold"],
            "wall_time_s": run.info["wall_time_s"],
            **({} if grid is None else _laundered(run, found)),
        }
        for run in found.runs
    ]
    emit(as_json, documents, "" if as_json else _text(found, summarize(found.runs, manifests), out))
    if found.failed:
        raise RunError(f"{len(found.failed)} of {len(names)} methods failed: {', '.join(found.failed)}.")


def _laundered(run: Run, found: Survey) -> dict[str, Any]:
    """Where a run's laundered answers are, in how many cells, and which cells had no room (and for how many images)."""
    from ..benchmark.laundered import LAUNDERED_FOLDER, laundered_cells

    return {
        "laundered": {
            "folder": str(run.folder / LAUNDERED_FOLDER),
            "cells": len(laundered_cells(run)),
            "without_room": {str(cell): count for cell, count in found.without_room.items()},
        }
    }


def _text(found: Survey, summaries: list[Summary], out: Path) -> str:
    """The runs, a line for each method, and what there is to do next."""
    rows = [("method", "fold", "rules", "seeds", "time per seed", "accuracy on seen test images")]
    rows += [
        (
            s.method,
            s.fold,
            str(s.rules),
            str(s.seeds),
            f"{s.seconds:.1f} s",
            f"{s.accuracy:.3f} (chance {s.chance:.3f})",
        )
        for s in summaries
    ]
    lines = [str(run.folder) for run in found.runs]
    lines += ["", text_columns(rows), ""]
    lines += [f"left out: {name}: {reason}" for name, reason in found.missing.items()]
    lines += [f"failed: {name}: {reason}" for name, reason in found.failed.items()]
    # Whether there is room depends on these two alone.
    crowded = {(cell.phase, cell.resize): count for cell, count in found.without_room.items()}
    lines += [
        f"left out: phase {phase} with resize {resize:g}: no room in the stored frames of {count} test images"
        for (phase, resize), count in crowded.items()
    ]
    verb = "build" if len({s.fold for s in summaries}) < 2 else "folds"
    return "\n".join([*lines, f"Next: osbench leaderboard {verb} {out} --out SITE"])
