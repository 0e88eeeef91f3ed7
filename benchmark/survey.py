"""Several methods on several manifests, unattended: one that cannot run or fails costs only its own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.progress import get_logger
from ..generation.dataset import Dataset
from .evaluate import evaluate
from .failures import describe_failure, free_memory
from .fits import Fit, missing_fits, run_fits
from .laundered import launder_runs
from .laundering import Cell, Grid
from .manifest import Manifest
from .method import get_method
from .metrics import closed_set_accuracy
from .runs import Run
from .score import answers_of


@dataclass
class Survey:
    """What came of it.

    Attributes
    ----------
    runs: all runs, manifest by manifest and method by method.
    missing, failed: method -> why, in one line (the first time it failed); its other runs are in ``runs``.
    without_room: cells of the laundering grid that were left out -> number of test images that do not fit.
    """

    runs: list[Run] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    without_room: dict[Cell, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """One method on one manifest.

    Attributes
    ----------
    fold: of the protocol. rules: number of rejection rules with a run. seeds: number of training seeds.
    seconds: wall time of a seed (training and answers, mean).
    accuracy: closed-set accuracy on seen test images, mean over seeds; chance: of guessing.
    """

    method: str
    fold: str
    rules: int
    seeds: int
    seconds: float
    accuracy: float
    chance: float


def survey(
    methods: Sequence[str],
    dataset: Dataset,
    manifests: Sequence[Manifest],
    *,
    seeds: Sequence[int],
    out: Path,
    options: Mapping[str, Mapping[str, Any]],
    grid: Grid | None = None,
    jobs: int = 1,
    unattended: bool = True,
    check: bool = False,
    **settings: Any,
) -> Survey:
    """:func:`evaluate` every method on every manifest, and launder the runs if a grid is given.

    Parameters
    ----------
    options: method -> its hyper-parameters.
    jobs: how many fits at a time. With one, fits are made here; with more, each in a process of its own, and what
        fails there costs one seed of one method.
    unattended: do not try a method that says that it is :meth:`~.method.Method.missing` something, and go on with the
        next one whatever is raised. Otherwise what is raised here goes to the caller.
    seeds, out, check, settings: as :func:`evaluate` takes them.
    """
    found = Survey()
    present = _without_missing(found, methods, options) if unattended else list(methods)
    pairs = [(manifest, name) for manifest in manifests for name in present]
    each = [{"seeds": seeds, "out": out, "options": options.get(name), **settings} for _, name in pairs]
    if jobs > 1:
        _fit_ahead(found, pairs, each, dataset, jobs=jobs, unattended=unattended, check=check)
    for number, ((manifest, name), arguments) in enumerate(zip(pairs, each, strict=True)):
        if unattended and jobs == 1:
            get_logger().info("[%d/%d] %s on %s", number % len(present) + 1, len(present), name, manifest.fold)
        try:
            _add_method(found, name, dataset, manifest, grid, check=check, **arguments)
        except Exception as error:
            if not unattended:
                raise
            reason = describe_failure(error, out, f"{get_method(name).name} on {manifest.fold}")
            found.failed.setdefault(name, reason)
            get_logger().warning("%s failed: %s", name, reason)
        free_memory()
    return found


def _without_missing(found: Survey, methods: Sequence[str], options: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The methods that can run; the others are named in ``found.missing``."""
    for name in methods:
        reason = get_method(name)(**options.get(name, {})).missing()
        if reason is not None:
            found.missing[name] = reason
            get_logger().warning("%s is left out: %s", name, reason)
    return [name for name in methods if name not in found.missing]


def _fit_ahead(
    found: Survey,
    pairs: Sequence[tuple[Manifest, str]],
    each: Sequence[dict[str, Any]],
    dataset: Dataset,
    *,
    jobs: int,
    unattended: bool,
    check: bool,
) -> None:
    """Make all missing fits side by side; seeds that failed are named in ``found.failed`` and taken out of ``each``."""
    fits: list[tuple[int, Fit]] = []
    for number, ((manifest, name), arguments) in enumerate(zip(pairs, each, strict=True)):
        try:
            fits += [(number, fit) for fit in missing_fits(name, dataset, manifest, **arguments)]
        except Exception:
            if not unattended:
                raise
            # The method's turn comes again, and then this is reported.
    if not fits:
        return
    crop_size = fits[0][1].settings.get("crop_size")
    reasons = run_fits([fit for _, fit in fits], jobs, dataset, pairs[0][0], crop_size=crop_size, check=check)
    for (number, fit), reason in zip(fits, reasons, strict=True):
        if reason is not None:
            found.failed.setdefault(fit.method, f"{fit.label}: {reason}")
            each[number]["seeds"] = [seed for seed in each[number]["seeds"] if seed != fit.seed]


def _add_method(
    found: Survey, name: str, dataset: Dataset, manifest: Manifest, grid: Grid | None, **arguments: Any
) -> None:
    runs = evaluate(name, dataset, manifest, **arguments)
    found.runs += runs
    if grid is not None and runs:
        found.without_room |= launder_runs(runs, dataset, manifest, grid, device=arguments.get("device", "cpu"))


def summarize(runs: Sequence[Run], manifests: Sequence[Manifest]) -> list[Summary]:
    """One row per method and manifest, in the order of the runs."""
    by_id = {manifest.manifest_id: manifest for manifest in manifests}
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.method, run.manifest_id), []).append(run)
    return [_summary(group, by_id[manifest_id]) for (_, manifest_id), group in groups.items()]


def _summary(runs: list[Run], manifest: Manifest) -> Summary:
    # Rules of one seed share their candidates, with few exceptions: one rule of each seed is enough.
    seeds = list({run.seed: run for run in reversed(runs)}.values())
    return Summary(
        method=runs[0].method,
        fold=manifest.fold,
        rules=len({run.rejection for run in runs}),
        seeds=len(seeds),
        seconds=float(np.mean([run.info["wall_time_s"] for run in seeds])),
        accuracy=float(np.mean([closed_set_accuracy(answers_of(run, manifest).test) for run in seeds])),
        chance=1 / len(manifest.seen),
    )
