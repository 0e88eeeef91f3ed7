"""Several methods, one after the other, unattended: one that cannot run or fails costs only its own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..generation.dataset import Dataset
from ..generation.errors import OsbenchError
from ..generation.progress import get_logger
from .evaluate import evaluate
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
    missing, failed: method -> why, in one line; its other runs are in ``runs``.
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
    options: Mapping[str, Mapping[str, Any]],
    grid: Grid | None = None,
    **settings: Any,
) -> Survey:
    """:func:`evaluate` every method on every manifest and go on when one fails.

    options: method -> its hyper-parameters. grid, settings: see :func:`add_method`. A method that says that it is
    :meth:`~.method.Method.missing` something is not tried.
    """
    found = Survey()
    for name in methods:
        reason = get_method(name)(**options.get(name, {})).missing()
        if reason is not None:
            found.missing[name] = reason
            get_logger().warning("%s is left out: %s", name, reason)
    present = [name for name in methods if name not in found.missing]
    for manifest in manifests:
        for number, name in enumerate(present, 1):
            get_logger().info("[%d/%d] %s on %s", number, len(present), name, manifest.fold)
            try:
                add_method(found, name, dataset, manifest, options=options.get(name), grid=grid, **settings)
            except OsbenchError as error:
                found.failed[name] = str(error)
                get_logger().warning("%s failed: %s", name, error)
    return found


def add_method(
    found: Survey,
    name: str,
    dataset: Dataset,
    manifest: Manifest,
    *,
    options: Mapping[str, Any] | None,
    grid: Grid | None = None,
    **settings: Any,
) -> None:
    """:func:`evaluate` one method on one manifest into ``found``, and launder its runs if a grid is given.

    settings: the other keyword arguments of :func:`evaluate`. Raises what that and :func:`launder_runs` raise.
    """
    runs = evaluate(name, dataset, manifest, options=options, **settings)
    found.runs += runs
    if grid is not None:
        found.without_room |= launder_runs(runs, dataset, manifest, grid, device=settings.get("device", "cpu"))


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
