"""Several methods on several manifests: one that cannot run or fails costs only its own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.errors import OsbenchError
from ..core.progress import get_logger
from ..generation.dataset import Dataset
from .evaluate import Plan, evaluate, is_finished, plan_fits
from .failures import describe_failure, free_memory
from .fits import Fit, run_fits
from .laundered import launder_runs
from .laundering import Cell, Grid
from .manifest import Manifest
from .method import get_method
from .metrics import METRICS
from .metrics.tally import Tally
from .run_info import Option
from .runs import NATIVE, Run

SHOWN_METRICS = ("auc_af1_crr", "af1", "crr", "accuracy")


@dataclass
class Survey:
    """What became of some methods.

    Parameters
    ----------
    runs : list of Run
        All runs, manifest by manifest and method by method.
    missing, failed : dict of str to str
        Method -> why, in one line (the first time it failed); its other runs are in ``runs``.
    without_room : dict
        Cells of the laundering grid that were left out -> number of test images that do not fit.
    """

    runs: list[Run] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    without_room: dict[Cell, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """One method on one manifest, by the rule that its runs are read by.

    Parameters
    ----------
    method, fold, rule : str
        The method, the fold of the protocol, the rejection rule.
    rules, seeds : int
        How many rejection rules and training seeds there are.
    wall_time_s : float
        Of a seed (training and answers, mean).
    auc_af1_crr, af1, crr, accuracy : float
        Means over seeds, at the threshold of the seen validation images.
    """

    method: str
    fold: str
    rule: str
    rules: int
    seeds: int
    wall_time_s: float
    auc_af1_crr: float
    af1: float
    crr: float
    accuracy: float


def survey(
    methods: Sequence[str],
    dataset: Dataset,
    manifests: Sequence[Manifest],
    *,
    seeds: Sequence[int],
    out: Path,
    options: Mapping[str, Mapping[str, Option]] | None = None,
    epochs: int | None = None,
    crop_size: int | None = None,
    device: str = "cpu",
    grid: Grid | None = None,
    jobs: int = 1,
    check: bool = False,
) -> Survey:
    """:func:`evaluate` every method on every manifest, and launder the runs if a grid is given.

    A method that says that it is :meth:`~.method.Method.missing` something is left out; whatever else one raises while
    it is fitted costs its own rows. Where one method on one manifest is all that was asked for, its OsbenchError is
    raised. UsageError for a request that makes no sense, before anything is fitted.

    Parameters
    ----------
    methods : sequence of str
        Registered names or paths of files.
    options : mapping, optional
        Method -> its hyper-parameters.
    grid : Grid, optional
        What test images are treated with.
    jobs : int
        How many fits at a time. With one, fits are made here; with more, each in a process of its own, and what fails
        there costs one seed of one method.
    dataset, seeds, out, epochs, crop_size, device, check
        As :func:`evaluate` takes them.
    """
    chosen = options or {}

    def plans_of(name: str, manifest: Manifest) -> list[Plan]:
        return plan_fits(
            name,
            dataset,
            manifest,
            seeds=seeds,
            out=out,
            device=device,
            options=chosen.get(name),
            epochs=epochs,
            crop_size=crop_size,
        )

    found = Survey()
    for name in methods:
        reason = get_method(name)(**chosen.get(name, {})).missing()
        if reason is not None:
            found.missing[name] = reason
            get_logger().warning("%s is left out: %s", name, reason)
    present = [name for name in methods if name not in found.missing]
    planned = [(name, manifest, plans_of(name, manifest)) for manifest in manifests for name in present]
    if jobs > 1:
        _fit_ahead(found, [plan for _, _, plans in planned for plan in plans], dataset, jobs, check)
    for number, (name, manifest, plans) in enumerate(planned):
        if jobs == 1 and len(planned) > 1:
            get_logger().info("[%d/%d] %s on %s", number % len(present) + 1, len(present), name, manifest.fold)
        wanted = [plan for plan in plans if jobs == 1 or is_finished(plan)]
        try:
            _add_method(found, wanted, dataset, grid, check)
        except Exception as error:
            if len(planned) == 1 and isinstance(error, OsbenchError):
                raise
            reason = describe_failure(error, out, f"{get_method(name).name} on {manifest.fold}")
            found.failed.setdefault(name, reason)
            get_logger().warning("%s failed: %s", name, reason)
        free_memory()
    return found


def _fit_ahead(found: Survey, plans: Sequence[Plan], dataset: Dataset, jobs: int, check: bool) -> None:
    """Make all missing fits side by side; those that failed are named in ``found.failed``."""
    waiting = [plan for plan in plans if not is_finished(plan)]
    if not waiting:
        return
    fits = [Fit.of(plan, dataset) for plan in waiting]
    crop_size = waiting[0].config.crop_size
    reasons = run_fits(fits, jobs, dataset, waiting[0].manifest, crop_size=crop_size, check=check)
    for fit, reason in zip(fits, reasons, strict=True):
        if reason is not None:
            found.failed.setdefault(fit.method, f"{fit.label}: {reason}")


def _add_method(found: Survey, plans: Sequence[Plan], dataset: Dataset, grid: Grid | None, check: bool) -> None:
    if not plans:
        return
    first = plans[0]
    runs = evaluate(
        first.name,
        dataset,
        first.manifest,
        seeds=[plan.seed for plan in plans],
        out=first.out,
        device=first.device,
        options=first.config.given,
        crop_size=first.config.crop_size,
        check=check,
    )
    found.runs += runs
    if grid is not None:
        found.without_room |= launder_runs(runs, dataset, first.manifest, grid, device=first.device)


def summarize(runs: Sequence[Run], manifests: Sequence[Manifest]) -> list[Summary]:
    """One row per method and manifest, in the order of the runs."""
    by_id = {manifest.manifest_id: manifest for manifest in manifests}
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.method, run.manifest_id, run.info.config.key), []).append(run)
    return [_summary(group, by_id[manifest_id]) for (_, manifest_id, _), group in groups.items()]


def _summary(runs: list[Run], manifest: Manifest) -> Summary:
    numbers: dict[str, list[float]] = {name: [] for name in SHOWN_METRICS}
    for run in runs:
        answers = run.answers(NATIVE, manifest)
        tally = Tally(answers.test, answers.threshold())
        for name, values in numbers.items():
            values.append(float(METRICS[name].kernel(tally)[0]))
    return Summary(
        method=runs[0].method,
        fold=manifest.fold,
        rule=runs[0].rule(),
        rules=len(runs[0].rules),
        seeds=len(runs),
        wall_time_s=float(np.mean([run.info.wall_time_s for run in runs])),
        **{name: float(np.mean(values)) for name, values in numbers.items()},
    )
