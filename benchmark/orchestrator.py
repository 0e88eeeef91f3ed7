"""The one loop over an experiment: every entry, manifest and seed. A failed fit costs only its own rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.errors import OsbenchError, UsageError, unknown_name
from ..core.progress import get_logger
from ..generation.dataset import Dataset
from .evaluate import Plan, evaluate, is_finished, plan_fits
from .experiment import Configuration, Experiment
from .failures import describe_failure, free_memory
from .fits import Fit, run_fits
from .manifest import Manifest
from .method import get_method, method_names
from .metrics import defined_metrics
from .metrics.tally import Tally
from .robustness.asking import launder_runs
from .robustness.treatments import Cell, Grid
from .run_info import Option
from .runs import NATIVE, Run

OPEN_METRICS = ("auc_af1_crr", "af1", "crr")


@dataclass
class ExperimentRuns:
    """The runs of an experiment, and what is missing.

    Parameters
    ----------
    experiment : Experiment
        What was asked for.
    runs : dict of str to list of Run
        Label -> its runs, manifest by manifest and seed by seed.
    missing, failed : dict of str to str
        Label -> why it was left out, or why it failed the first time, in one line; its other runs are in ``runs``.
    too_small : dict
        Cells of the laundering grid that were left out -> number of test images whose stored frame is too small.
    """

    experiment: Experiment
    runs: dict[str, list[Run]] = field(default_factory=dict[str, list[Run]])
    missing: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    too_small: dict[Cell, int] = field(default_factory=dict[Cell, int])

    def all_runs(self) -> list[Run]:
        """The runs of every entry, in the order of the experiment."""
        return [run for runs in self.runs.values() for run in runs]


@dataclass(frozen=True)
class Summary:
    """One entry on one manifest, by the rule that its runs are read by.

    Parameters
    ----------
    label, fold, rule : str
        The entry, the fold of the protocol, the rejection rule.
    rules, seeds : int
        How many rejection rules and training seeds there are.
    wall_time_s : float
        Of a seed (training and answers, mean).
    auc_af1_crr, af1, crr : float, optional
        Means over seeds, at the threshold of the seen validation images; None where nobody is unseen.
    accuracy : float
        The same.
    """

    label: str
    fold: str
    rule: str
    rules: int
    seeds: int
    wall_time_s: float
    auc_af1_crr: float | None
    af1: float | None
    crr: float | None
    accuracy: float


@dataclass(frozen=True)
class _Part:
    """One entry on one manifest: a plan for each seed."""

    label: str
    manifest: Manifest
    plans: list[Plan]


def run_experiment(
    experiment: Experiment,
    dataset: Dataset,
    manifests: Sequence[Manifest],
    *,
    out: Path,
    device: str = "cpu",
    grid: Grid | None = None,
    jobs: int = 1,
    check: bool = False,
    keep_labels: bool = False,
) -> ExperimentRuns:
    """Fit every entry of an experiment on every manifest, and launder the runs if a grid is given.

    What is finished is not done again. An entry whose method says that it is :meth:`~.method.Method.missing` something
    is left out; whatever else one raises while it is fitted costs its own rows. Where one entry on one manifest is all
    that was asked for, its error is raised.

    Parameters
    ----------
    experiment : Experiment
        What to fit.
    dataset : Dataset
        The images.
    manifests : sequence of Manifest
        Of that dataset, one per fold.
    out : Path
        The runs folder.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    grid : Grid, optional
        What test images are treated with afterwards.
    jobs : int
        How many fits at a time. With one, fits are made here; with more, each in a process of its own, and what fails
        there costs one seed of one entry.
    check : bool
        Compare every image with its ``pixel_sha256`` first.
    keep_labels : bool
        Leave the labels of runs that exist as they are.

    Raises
    ------
    UsageError
        For an unknown method, option, rule or metric, or two labels for one fit; before anything is fitted.
    """
    check_experiment(experiment)
    found = ExperimentRuns(experiment)
    for label in experiment.entries:
        own = experiment.configuration(label)
        reason = get_method(own.method or label)(**own.options).missing()
        if reason is not None:
            found.missing[label] = reason
            get_logger().warning("%s is left out: %s", label, reason)
    parts = _parts(
        experiment, [name for name in experiment.entries if name not in found.missing], dataset, manifests, out, device
    )
    _refuse_twins(parts)
    if jobs > 1:
        _fit_ahead(found, parts, dataset, jobs, check)
    for number, part in enumerate(parts, start=1):
        if jobs == 1 and len(parts) > 1:
            get_logger().info("[%d/%d] %s on %s", number, len(parts), part.label, part.manifest.fold)
        wanted = [plan for plan in part.plans if jobs == 1 or is_finished(plan)]
        try:
            _add(found, part.label, wanted, dataset, grid, check, keep_labels)
        except Exception as error:
            if len(parts) == 1 and isinstance(error, OsbenchError):
                raise
            reason = describe_failure(error, out, f"{part.label} on {part.manifest.fold}")
            found.failed.setdefault(part.label, reason)
            get_logger().warning("%s failed: %s", part.label, reason)
        free_memory()
    return found


def check_experiment(experiment: Experiment) -> None:
    """UsageError for a method, option, rule or metric that does not exist; only methods are imported for it."""
    rules: set[str] = set()
    for label in experiment.entries:
        own = experiment.configuration(label)
        cls = get_method(own.method or label)
        cls(**_options(own))
        rules |= set(cls.rejections)
        for rule in experiment.entries[label].rules or ():
            if rule not in cls.rejections:
                raise unknown_name(f"rejection rule of entry '{label}'", rule, cls.rejections)
    for rule in experiment.rules or ():
        # A rule of other methods is no error: with some entries chosen, nobody may be left who has it.
        if rule not in rules and not any(rule in get_method(name).rejections for name in method_names()):
            raise unknown_name("rejection rule of these entries", rule, rules)


def _options(own: Configuration) -> dict[str, Option]:
    """The options of a configuration, ``epochs`` among them for a method that has such an option."""
    cls = get_method(own.method or "")
    return dict(own.options) | ({"epochs": own.epochs} if own.epochs and "epochs" in cls.defaults else {})


def _parts(
    experiment: Experiment,
    labels: Sequence[str],
    dataset: Dataset,
    manifests: Sequence[Manifest],
    out: Path,
    device: str,
) -> list[_Part]:
    """Every entry on every manifest; one that is training-free once for all that ask the same question."""
    answered = {label: _answered(experiment, label, dataset, manifests, out, device) for label in labels}
    return [
        _Part(label, manifest, _plans(experiment, label, dataset, manifest, out, device))
        for manifest in manifests
        for label in labels
        if manifest.manifest_id in answered[label]
    ]


def _answered(
    experiment: Experiment, label: str, dataset: Dataset, manifests: Sequence[Manifest], out: Path, device: str
) -> set[str]:
    """The ids of the manifests that an entry is fitted for."""
    own = experiment.configuration(label)
    if not get_method(own.method or label)(**own.options).training_free:
        return {manifest.manifest_id for manifest in manifests}
    alike: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        alike.setdefault(manifest.question, []).append(manifest)
    chosen: set[str] = set()
    for group in alike.values():
        finished = (m for m in group if all(map(is_finished, _plans(experiment, label, dataset, m, out, device))))
        chosen.add(next(finished, group[0]).manifest_id)
    return chosen


def _plans(
    experiment: Experiment, label: str, dataset: Dataset, manifest: Manifest, out: Path, device: str
) -> list[Plan]:
    own = experiment.configuration(label)
    # A repeat of few shots draws everything anew: other images and another initialisation.
    first = experiment.seeds * manifest.repeat
    return plan_fits(
        own.method or label,
        dataset,
        manifest,
        seeds=range(first, first + experiment.seeds),
        out=out,
        device=device,
        options=own.options,
        epochs=own.epochs,
        crop_size=experiment.crop_size,
    )


def _refuse_twins(parts: Sequence[_Part]) -> None:
    """UsageError if two labels stand for one fit: a board would show it twice."""
    owners: dict[Path, str] = {}
    for part in parts:
        for plan in part.plans:
            other = owners.setdefault(plan.run_folder, part.label)
            if other != part.label:
                raise UsageError(f"entries '{other}' and '{part.label}' are the same fit; leave one of them out.")


def _fit_ahead(found: ExperimentRuns, parts: Sequence[_Part], dataset: Dataset, jobs: int, check: bool) -> None:
    """Make all missing fits side by side; those that failed are named in ``found.failed``."""
    waiting = [(part.label, plan) for part in parts for plan in part.plans if not is_finished(plan)]
    if not waiting:
        return
    fits = [Fit.of(plan, dataset) for _, plan in waiting]
    first = waiting[0][1]
    reasons = run_fits(fits, jobs, dataset, first.manifest, crop_size=first.config.crop_size, check=check)
    for (label, _), fit, reason in zip(waiting, fits, reasons, strict=True):
        if reason is not None:
            found.failed.setdefault(label, f"{fit.label}: {reason}")


def _add(
    found: ExperimentRuns,
    label: str,
    plans: Sequence[Plan],
    dataset: Dataset,
    grid: Grid | None,
    check: bool,
    keep_labels: bool,
) -> None:
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
        label=None if keep_labels else first.unfitted().label if label == first.cls.name else label,
    )
    found.runs.setdefault(label, []).extend(runs)
    if grid is not None:
        found.too_small |= launder_runs(runs, dataset, first.manifest, grid, device=first.device)


def summarize(found: ExperimentRuns, manifests: Sequence[Manifest]) -> list[Summary]:
    """One row per entry and manifest, in the order of the experiment."""
    by_id = {manifest.manifest_id: manifest for manifest in manifests}
    groups: dict[tuple[str, str], list[Run]] = {}
    for label, runs in found.runs.items():
        for run in runs:
            groups.setdefault((label, run.manifest_id), []).append(run)
    return [_summary(label, group, by_id[manifest_id]) for (label, manifest_id), group in groups.items()]


def _summary(label: str, runs: list[Run], manifest: Manifest) -> Summary:
    defined = defined_metrics(len(manifest.unseen))
    numbers: dict[str, list[float]] = {name: [] for name in (*OPEN_METRICS, "accuracy") if name in defined}
    for run in runs:
        answers = run.answers(NATIVE, manifest)
        tally = Tally(answers.test, answers.threshold())
        for name, values in numbers.items():
            values.append(float(defined[name].kernel(tally)[0]))
    return Summary(
        label=label,
        fold=manifest.fold,
        rule=runs[0].rule(),
        rules=len(runs[0].rules),
        seeds=len(runs),
        wall_time_s=float(np.mean([run.info.wall_time_s for run in runs])),
        accuracy=float(np.mean(numbers.pop("accuracy"))),
        **{name: float(np.mean(numbers[name])) if name in numbers else None for name in OPEN_METRICS},
    )
