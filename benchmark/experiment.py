"""An experiment: what to evaluate, in one file that can be sent to a colleague.

::

    title: Proposed and two classifiers
    suite: mini                       # what `osbench run` generates
    count: 200                        # images per source; without it, the suite's
    protocol: fang2023
    fold: all                         # of a protocol with several
    shots: [1, 5]                     # of a protocol with shots, where not all of them are wanted
    repeats: 2                        # likewise; without it, all
    seeds: 3                          # seeds 0 to 2
    epochs: 20                        # of entries that do not say their own
    rules: [native, never, msp]       # rows of a table and of the board; without it, every rule of a method
    entries:
      proposed: {}                    # the key is the label on the board, and the method unless one is named
      proposed, paper-literal: {method: proposed, options: {preset: paper-literal}, epochs: 30}
      dct-cnn: {rules: [never]}
    columns: [auc_af1_crr, af1, crr]  # of the table of results
    compare:                          # differences of two entries, on the same images
      - {better: proposed, than: dct-cnn, metrics: [af1, crr]}
    published:                        # what a paper prints, next to ours
      paper: Fang, Nguyen and Stamm, BMVC 2023
      url: https://arxiv.org/abs/2308.11557
      setting: {images_per_source: 10000}
      values:
        proposed: {af1: 0.900, crr: 0.645}
      ahead: {resynthesis: 10}        # with few shots: up to so many it is ahead of trained entries, then they are

Experiments of the package lie in ``benchmark/experiments``; anybody's file has the same form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast

from ..core.defaults import PROTOCOL, SUITE
from ..core.documents import json_schema
from ..core.errors import UsageError, unknown_name
from ..core.schema import Limits, read_record
from ..core.text import printable
from ..core.yaml import read_yaml
from .protocols import load_protocol, protocol_names
from .run_info import Label, Options, RuleName

_FOLDER = Path(__file__).resolve().parent / "experiments"

Positive = Annotated[int, Limits(least=1, most=10**9)]
Rules = Annotated[tuple[RuleName, ...], Limits(shortest=1, longest=200, unique=True)]
Metrics = Annotated[tuple[Label, ...], Limits(shortest=1, longest=50, unique=True)]

SHOWN = ("auc_af1_crr", "af1", "crr", "accuracy")
"""Metrics of a table of results that says nothing else."""

F1_EACH, CRR_EACH = "f1", "crr_each"
"""Columns that stand for one column per seen or unseen generator: ``f1.ProGAN``, ``crr.StyleGAN``."""


@dataclass(frozen=True)
class Configuration:
    """One way of fitting a method.

    Parameters
    ----------
    method : str, optional
        A registered name, or the path of a method's file; without it, the label is the name.
    options : dict
        Hyper-parameters that differ from the method's defaults.
    epochs : int, optional
        Short for the option ``epochs``; without it the experiment's, else the method's own.
    rules : tuple of str, optional
        Rejection rules that get a row; without it the experiment's, else all that the method has.
    """

    method: Label | None = None
    options: Options = field(default_factory=dict[str, Any])
    epochs: Positive | None = None
    rules: Rules | None = None


@dataclass(frozen=True)
class Difference:
    """A difference of two entries on the same images: ``better`` minus ``than``.

    Parameters
    ----------
    better, than : str
        Labels.
    metrics : tuple of str
        What is subtracted.
    """

    better: Label
    than: Label
    metrics: Metrics = ("auc_af1_crr",)


@dataclass(frozen=True)
class Published:
    """What a paper prints.

    Parameters
    ----------
    paper, url : str
        Where it is printed.
    setting : dict of str to int
        Sizes of the paper's experiment: ``images_per_source``, ``sources``, ``crop_size`` (pixels) and
        ``train_per_class`` (training images of a class); of few shots ``sources``, ``test_per_source``, ``most_shots``
        and ``repeats``.
    values : dict
        Label of an entry -> metric -> number. ``f1.ProGAN`` is the F1 of a seen architecture, ``crr.StyleGAN`` the
        rejection rate of an unseen one.
    ahead : dict of str to int
        Label of a training-free entry -> up to how many shots it is ahead of the trained ones, which are with more.
    """

    paper: Label
    url: Annotated[str, Limits(longest=500)] = ""
    setting: dict[str, int] = field(default_factory=dict[str, int])
    values: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    ahead: dict[str, Positive] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Experiment:
    """What to evaluate.

    Parameters
    ----------
    entries : dict of str to Configuration
        Label -> configuration.
    name : str
        The name of its file.
    title : str
        One line for people.
    suite : str
        What ``osbench run`` generates: a packaged suite, or the path of a suite file.
    count : int, optional
        Images per source; without it, the suite's.
    protocol : str
        A packaged protocol, one that is stored with the dataset, or the path of a protocol file.
    fold : str, optional
        A fold of the protocol, or ``all``; not needed where there is only one.
    shots : tuple of int
        Of all folds, those with these numbers of shots; all without it.
    repeats : int, optional
        Of all folds, those of the first so many repeats; all without it.
    seeds : int
        Every entry is fitted with seeds 0 to ``seeds - 1``.
    rules : tuple of str, optional
        Rejection rules that get a row, for methods that have them; without it, all.
    epochs : int, optional
        Of entries that do not say their own.
    crop_size : int, optional
        Side of the centre crop in pixels; as stored without it.
    columns : tuple of str
        Metrics of the table of results; ``f1`` and ``crr_each`` stand for one column per generator.
    compare : tuple of Difference
        Differences that the results show.
    published : Published, optional
        What a paper prints.
    notes : tuple of str
        What a reader of the results should know; a paragraph each.
    """

    entries: Annotated[dict[Label, Configuration], Limits(shortest=1, longest=1000)]
    name: Label = "experiment"
    title: Annotated[str, Limits(longest=500)] = ""
    suite: Label = SUITE
    count: Positive | None = None
    protocol: Label = PROTOCOL
    fold: Label | None = None
    shots: Annotated[tuple[Positive, ...], Limits(longest=1000, unique=True)] = ()
    repeats: Positive | None = None
    seeds: Annotated[int, Limits(least=1, most=1000)] = 1
    rules: Rules | None = None
    epochs: Positive | None = None
    crop_size: Annotated[int, Limits(least=1, most=65535)] | None = None
    columns: Metrics = SHOWN
    compare: Annotated[tuple[Difference, ...], Limits(longest=1000)] = ()
    published: Published | None = None
    notes: Annotated[tuple[Annotated[str, Limits(longest=2000)], ...], Limits(longest=50)] = ()

    def __post_init__(self) -> None:
        if (self.shots or self.repeats) and self.fold != "all":
            raise UsageError("'shots' and 'repeats' choose among all folds: say 'fold: all' as well.")

    def configuration(self, label: str) -> Configuration:
        """The configuration of an entry, with the experiment's epochs and rules where it has none of its own.

        UsageError for an unknown label.
        """
        if label not in self.entries:
            raise unknown_name(f"entry of experiment {self.name}", label, self.entries)
        own = self.entries[label]
        return Configuration(own.method or label, own.options, own.epochs or self.epochs, own.rules or self.rules)

    def chosen(self, labels: Sequence[str]) -> Experiment:
        """This experiment with these entries alone, all of them for none; UsageError for an unknown label."""
        for label in labels:
            self.configuration(label)
        kept = {label: own for label, own in self.entries.items() if not labels or label in labels}
        compare = tuple(one for one in self.compare if {one.better, one.than} <= kept.keys())
        return replace(self, entries=kept, compare=compare)


def experiment_names() -> list[str]:
    """Names of the packaged experiments, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_experiment(name: str | Path) -> Experiment:
    """Read an experiment.

    Parameters
    ----------
    name : str or Path
        The name of a packaged experiment, or the path of a YAML file. A suite, protocol or method file that it names by
        a relative path lies next to it.

    Returns
    -------
    Experiment
        Its names of methods, rules and metrics are not looked up yet.

    Raises
    ------
    UsageError
        If there is no such experiment, or the file has an unknown key, a value of the wrong type, or a label twice; or
        if its protocol file is no protocol.
    """
    text = str(name)
    if text in experiment_names():
        path = _FOLDER / f"{text}.yaml"
    elif text.endswith((".yaml", ".yml")):
        path = Path(name)
    else:
        raise unknown_name("experiment", text, experiment_names())
    where = printable(path)
    document = read_yaml(path, UsageError)
    if isinstance(document, dict):
        document = {"name": path.stem} | cast(dict[str, object], document)
    experiment = read_record(Experiment, document, where)
    _check_labels(experiment, where)
    entries = {
        label: replace(own, method=_in_folder(path.parent, own.method)) for label, own in experiment.entries.items()
    }
    suite, protocol = _in_folder(path.parent, experiment.suite), _in_folder(path.parent, experiment.protocol)
    if protocol not in protocol_names() and protocol.endswith((".yaml", ".yml")):
        load_protocol(protocol)  # before anything is generated for it
    return replace(experiment, entries=entries, suite=suite, protocol=protocol)


def _check_labels(experiment: Experiment, where: str) -> None:
    for one in experiment.compare:
        for label in (one.better, one.than):
            if label not in experiment.entries:
                raise unknown_name(f"label under 'compare' of {where}", label, experiment.entries)
    for label in (*experiment.published.values, *experiment.published.ahead) if experiment.published else ():
        if label not in experiment.entries:
            raise unknown_name(f"label under 'published' of {where}", label, experiment.entries)


def _in_folder(folder: Path, name: str | None) -> Any:
    """The path of a file that lies in ``folder``; any other name stays as it is."""
    if name is not None and name.endswith((".yaml", ".yml", ".py")) and (folder / name).exists():
        return str(folder / name)
    return name


def experiment_schema() -> dict[str, object]:
    """The JSON Schema of an experiment file."""
    return json_schema(Experiment)
