"""The Python interface to methods: evaluate, score, enroll, discover. The command line offers the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import pandas as pd

from .asking import listed, opened
from .benchmark.answers import DEFAULT_THRESHOLD_RULE
from .benchmark.discover import Discovery
from .benchmark.discover import discover as discover_in_files
from .benchmark.enroll import Enrollment
from .benchmark.enroll import enroll as enroll_files
from .benchmark.experiment import Configuration, Experiment
from .benchmark.manifest import Manifest
from .benchmark.method import Method, get_method
from .benchmark.orchestrator import run_experiment
from .benchmark.run_info import Option
from .benchmark.runs import NATIVE, Run
from .benchmark.score import Score
from .core.defaults import RUNS
from .core.errors import RunError, UsageError
from .data import Dataset, load


@dataclass(frozen=True)
class Runs(Sequence[Run]):
    """The runs of one method: one per seed, or per seed and fold.

    Parameters
    ----------
    runs : tuple of Run
        In the order of folds and seeds.
    manifests : tuple of Manifest
        What they answered.
    """

    runs: tuple[Run, ...]
    manifests: tuple[Manifest, ...]

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        return Runs(self.runs[index], self.manifests) if isinstance(index, slice) else self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def fold(self, name: str) -> Runs:
        """The runs of one fold, by its name; UsageError lists the folds for an unknown one."""
        found = [run for run in self.runs if name in (run.info.manifest.fold, run.info.manifest.fold.split("/", 1)[-1])]
        if not found:
            known = ", ".join(sorted({run.info.manifest.fold for run in self.runs}))
            raise UsageError(f"no run of fold '{name}'; there are: {known}.")
        return Runs(tuple(found), self.manifests)

    def score(
        self,
        rule: str = NATIVE,
        *,
        threshold_rule: str = DEFAULT_THRESHOLD_RULE,
        bootstrap: int = 1000,
        seed: int = 0,
    ) -> Score:
        """Every number of the method by one rejection rule: means over seeds, with intervals over images and seeds.

        Parameters
        ----------
        rule : str
            The rejection rule; ``native`` means the first one of a method without a rule of that name.
        threshold_rule : str
            How the threshold is chosen, on seen validation images.
        bootstrap : int
            Replicates of every interval.
        seed : int
            Of the resampling.

        Raises
        ------
        UsageError
            For an unknown rule, or runs of several folds (choose one with :meth:`fold`).
        """
        answered = {run.manifest_id for run in self.runs}
        if len(answered) != 1:
            raise UsageError(f"these runs answer {len(answered)} folds: choose one, runs.fold(NAME).score().")
        (manifest,) = (one for one in self.manifests if one.manifest_id in answered)
        answers = [run.answers(rule, manifest) for run in self.runs]
        return Score.of(answers, threshold_rule=threshold_rule, bootstrap=bootstrap, seed=seed)

    def to_frame(self) -> pd.DataFrame:
        """One row per run and rejection rule, as :meth:`.Run.to_frame`."""
        return pd.concat([run.to_frame() for run in self.runs], ignore_index=True)


def evaluate(
    method: str | type[Method] | Method,
    manifest: Manifest | Sequence[Manifest],
    *,
    seeds: int = 1,
    out: str | Path = RUNS,
    options: Mapping[str, Option] | None = None,
    epochs: int | None = None,
    crop_size: int | None = None,
    device: str = "cpu",
    jobs: int = 1,
    check: bool = False,
) -> Runs:
    """Fit a method on seen generators and ask it about validation and test.

    Parameters
    ----------
    method : str, type or Method
        A registered name, the path of a method's file, a class, or an instance with its options.
    manifest : Manifest or sequence of Manifest
        From :meth:`Dataset.split` or :meth:`Dataset.folds`.
    seeds : int
        Fit with seeds 0 to ``seeds - 1``.
    out : str or Path
        The runs folder; finished runs in it are not made again.
    options : mapping, optional
        Hyper-parameters that differ from the method's defaults.
    epochs : int, optional
        Short for the option ``epochs``.
    crop_size : int, optional
        Side of the centre crop in pixels; as stored without it.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    jobs : int
        Fits at a time, each in a process of its own.
    check : bool
        Compare every image with its recorded hash first.

    Raises
    ------
    UsageError
        For unknown names or senseless options, before anything is fitted.
    RunError
        If the method failed on some fold or seed.
    """
    name, given = _named(method)
    manifests = (manifest,) if isinstance(manifest, Manifest) else tuple(manifest)
    dataset = _dataset_of(manifests)
    label = get_method(name).name
    experiment = Experiment(
        {label: Configuration(name, given | dict(options or {}))}, seeds=seeds, epochs=epochs, crop_size=crop_size
    )
    found = run_experiment(
        experiment, dataset, manifests, out=Path(out), device=device, jobs=jobs, check=check, keep_labels=True
    )
    for reason in (*found.missing.values(), *found.failed.values()):
        raise RunError(f"{label}: {reason}")
    return Runs(tuple(found.all_runs()), manifests)


def enroll(
    name: str,
    images: str | Path | Sequence[str | Path],
    run: Run | str | Path,
    out: str | Path,
    *,
    method_file: str | None = None,
) -> Enrollment:
    """Add a source to a fitted run from a few of its images, without training again.

    Parameters
    ----------
    name : str
        What the source is called.
    images : str, Path or sequence of them
        Files of one size.
    run : Run, str or Path
        A run with its model, or the folder of one; it is not changed.
    out : str or Path
        Folder of the new run; nothing lies there yet.
    method_file : str, optional
        File of a method that is not installed.

    Returns
    -------
    Enrollment
        ``.run`` is the new run, for :func:`osbench.attribute`. UsageError and DatasetError as
        :func:`osbench.benchmark.enroll.enroll`.
    """
    return enroll_files(name, [Path(one) for one in listed(images)], opened(run), Path(out), method_file=method_file)


def discover(
    images: str | Path | Sequence[str | Path],
    run: Run | str | Path,
    *,
    out: str | Path | None = None,
    rule: str = NATIVE,
    threshold_rule: str = DEFAULT_THRESHOLD_RULE,
    method_file: str | None = None,
) -> Discovery:
    """Group the pictures that a run rejects into likely new sources.

    Parameters
    ----------
    images : str, Path or sequence of them
        Files.
    run : Run, str or Path
        A run with its model, or the folder of one.
    out : str or Path, optional
        New or empty folder for a contact sheet of every group.
    rule, threshold_rule : str
        Rejection rule, and how its threshold is chosen.
    method_file : str, optional
        File of a method that is not installed.

    Returns
    -------
    Discovery
        ``.groups``, the largest first, each with the paths of its images.
    """
    place = None if out is None else Path(out)
    return discover_in_files(
        [Path(one) for one in listed(images)], opened(run), out=place, rule=rule, threshold_rule=threshold_rule, method_file=method_file
    )


def _named(method: str | type[Method] | Method) -> tuple[str, dict[str, Option]]:
    if isinstance(method, str):
        return method, {}
    cls = method if isinstance(method, type) else type(method)
    if getattr(cls, "name", None) is None:
        raise UsageError(f"class {cls.__name__} is no registered method: decorate it with @register_method(NAME).")
    given = {} if isinstance(method, type) else {k: v for k, v in method.options.items() if cls.defaults.get(k) != v}
    return cls.name, given


def _dataset_of(manifests: Sequence[Manifest]) -> Dataset:
    places = {manifest.data for manifest in manifests}
    if len(places) != 1 or None in places:
        raise UsageError("evaluate needs manifests of one data set, from Dataset.split or Dataset.folds.")
    return load(str(places.pop()))
