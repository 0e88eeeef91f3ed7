"""``osbench evaluate``: fit and test methods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.columns import text_columns
from ..core.defaults import DATA, PROTOCOL, RUNS
from .options import device_option, emit, handle_errors, jobs_option, json_option

if TYPE_CHECKING:
    from ..benchmark.experiment import Configuration
    from ..benchmark.orchestrator import ExperimentRuns, Summary
    from ..benchmark.runs import Run


@click.command()
@click.option("--method", "methods", multiple=True, help="A name, path/to/file.py, or all. Repeatable.")
@click.option("--data", type=click.Path(path_type=Path), default=DATA, show_default=True, help="The dataset folder.")
@click.option("--out", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="The runs folder.")
@click.option(
    "--protocol",
    default=PROTOCOL,
    show_default=True,
    metavar="NAME|FILE",
    help="A packaged protocol, one that `osbench split` stored, or a YAML file; its manifest is written if missing.",
)
@click.option("--fold", default=None, help="One fold of the protocol, or all. Not needed if there is only one.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Fit with seeds 0 to N-1.")
@click.option("--epochs", type=click.IntRange(min=1), default=None, help="Instead of the method's own default.")
@click.option(
    "--crop-size", type=click.IntRange(min=1), default=None, help="Centre crop in pixels; default: as stored."
)
@device_option
@jobs_option(
    "Fits at a time, each in a process of its own with its share of the threads and its own memory on the device."
)
@click.option("--network", default=None, help="Embedding network of proposed; short for --option network=NAME.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default=None,
    help="Number format of training on a CPU, for methods that train a network; auto takes bfloat16 where a probe says "
    "that it is faster.  [default: float32]",
)
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
    epochs: int | None,
    crop_size: int | None,
    device: str,
    jobs: int,
    network: str | None,
    precision: str | None,
    options: tuple[str, ...],
    check: bool,
    launder: bool,
    launder_grid: str | None,
    as_json: bool,
) -> None:
    """Fit methods on seen generators, ask them about validation and test, publish one run per fit with all its rules.

    Interrupted? The same command continues where it stopped; finished runs are skipped, damaged ones made again. A
    method that fails does not stop the others. With --method all, one whose weights are not on this machine is left out
    and named.

    Without options: the dataset in data, its split by fang2023, runs into runs.

    --jobs N makes N fits (a method, a seed, a fold) side by side: as many as fill a GPU and its memory, or many cores;
    on two cores it gains little.

    --launder shows how much of a result survives a platform: after `osbench leaderboard build` the page has a heat map
    for every laundered run, and `osbench score RUN` prints it.
    """
    from ..benchmark.experiment import Configuration, Experiment
    from ..benchmark.manifest import open_manifests
    from ..benchmark.method import get_method, method_names, parse_options
    from ..benchmark.orchestrator import run_experiment, summarize
    from ..benchmark.robustness.treatments import Grid, parse_grid
    from ..core.errors import RunError, UsageError
    from ..generation.dataset import Dataset

    if not methods:
        raise UsageError(f"say which method: --method NAME, a file.py or all. Known: {', '.join(method_names())}.")
    everything = "all" in methods
    names = method_names() if everything else list(dict.fromkeys(methods))
    if network is not None:
        options = (*options, f"network={network}")
    parsed = {name: parse_options(get_method(name), options) for name in names}
    if precision is not None:
        trained = [name for name in names if "precision" in get_method(name).defaults]
        parsed |= {name: parsed[name] | {"precision": precision} for name in trained}
    grid = parse_grid(launder_grid) if launder_grid is not None else Grid() if launder else None
    dataset = Dataset.open(data)
    manifests = open_manifests(dataset, protocol, fold)
    entries = {get_method(name).name: Configuration(name, parsed[name]) for name in names}
    refused = _rehearse_files(entries, crop_size or dataset.crop_size, device, out)
    entries = {label: own for label, own in entries.items() if label not in refused}
    if not entries:
        raise RunError("; ".join(refused.values()))
    experiment = Experiment(entries, name="evaluate", seeds=seeds, epochs=epochs, crop_size=crop_size)
    found = run_experiment(
        experiment, dataset, manifests, out=out, device=device, grid=grid, jobs=jobs, check=check, keep_labels=True
    )
    found.failed |= refused
    runs = found.all_runs()
    documents = [
        {
            "run": str(run.folder),
            "method": run.method,
            "seed": run.seed,
            "rules": list(run.rules),
            "fold": run.info.manifest.fold,
            "wall_time_s": run.info.wall_time_s,
            **({} if grid is None else _laundered(run, found)),
        }
        for run in runs
    ]
    if runs:
        text = "" if as_json else _text(found, summarize(found, manifests), out)
        emit(as_json, documents, f"Dataset {data}, protocol {manifests[0].protocol}, runs in {out}:\n{text}")
    failed = found.failed if everything else found.failed | found.missing
    if failed:
        raise RunError(f"{len(failed)} of {len(names)} methods failed: {', '.join(failed)}.")


def _rehearse_files(entries: Mapping[str, Configuration], crop_size: int, device: str, out: Path) -> dict[str, str]:
    """Method files are fitted to a few images first; label -> the fault of its code, in one line."""
    from ..benchmark.evaluate import torch_device
    from ..benchmark.failures import describe_failure
    from ..benchmark.method import get_method
    from ..benchmark.method_checks import rehearse

    found = {}
    for label, own in entries.items():
        if own.method is None or not own.method.endswith(".py"):
            continue
        try:
            rehearse(get_method(own.method), own.options, crop_size=crop_size, device=str(torch_device(device)))
        except Exception as error:
            found[label] = describe_failure(error, out, f"{label} before training")
    return found


def _laundered(run: Run, found: ExperimentRuns) -> dict[str, Any]:
    """Under how many cells the run has answers, and which were left out (and for how many images)."""
    return {
        "robustness": {
            "cells": len(run.laundered()),
            "left_out": {str(cell): count for cell, count in found.too_small.items()},
        }
    }


def _text(found: ExperimentRuns, summaries: list[Summary], out: Path) -> str:
    """The runs, a line for each method, and what there is to do next."""
    head = ("entry", "fold", "rule", "seeds", "time per seed", "AUC", "aF1", "CRR", "accuracy on seen")
    rows = [
        (
            s.label,
            s.fold,
            s.rule if s.rules == 1 else f"{s.rule} (1 of {s.rules})",
            str(s.seeds),
            f"{s.wall_time_s:.1f} s",
            *("-" if value is None else f"{value:.3f}" for value in (s.auc_af1_crr, s.af1, s.crr, s.accuracy)),
        )
        for s in summaries
    ]
    lines = [str(run.folder) for run in found.all_runs()]
    lines += ["", text_columns([head, *rows]), ""] if rows else []
    if any(s.rules > 1 for s in summaries):
        lines += ["The other rejection rules: osbench score RUN --rule NAME, or the leaderboard.", ""]
    lines += [f"left out: {name}: {reason}" for name, reason in found.missing.items()]
    lines += [f"failed: {name}: {reason}" for name, reason in found.failed.items()]
    # Whether a frame is large enough depends on these two alone.
    too_small = {(cell.phase, cell.resize): count for cell, count in found.too_small.items()}
    lines += [
        f"left out: phase {phase} with resize {resize:g}: the stored frames of {count} test images are too small"
        for (phase, resize), count in too_small.items()
    ]
    verb = "build" if len({s.fold for s in summaries}) < 2 else "folds"
    place = "" if out == RUNS else f" {out}"
    site = "" if verb == "build" else " --out site"
    return "\n".join([*lines, *([f"Next: osbench leaderboard {verb}{place}{site}"] if rows else [])])
