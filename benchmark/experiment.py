"""An experiment: what to evaluate, in one file that can be sent to a colleague.

::

    title: Proposed and two classifiers
    suite: mini                       # what `osbench run` generates
    count: 200                        # images per source; without it, the suite's
    protocol: fang2023
    fold: all                         # of a protocol with several
    seeds: 3                          # seeds 0 to 2
    epochs: 20                        # of entries that do not say their own
    rules: [native, never, msp]       # rows of a table and of the board; without it, every rule of a method
    entries:
      proposed: {}                    # the key is the label on the board
      proposed, paper-literal: {method: proposed, options: {preset: paper-literal}, epochs: 30}
      dct-cnn: {rules: [never]}
    columns: [auc_af1_crr, af1, crr]  # of the table of results
    compare:                          # differences of two entries, on the same images
      - {better: proposed, than: dct-cnn, metrics: [af1, crr]}
    published:                        # what a paper prints, beside ours
      paper: Fang, Nguyen and Stamm, BMVC 2023
      url: https://arxiv.org/abs/2308.11557
      setting: {images_per_source: 10000}
      values:
        proposed: {af1: 0.900, crr: 0.645}

Experiments of the package lie in ``benchmark/experiments``; anybody's file has the same form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..core.errors import UsageError, unknown_name
from ..core.foreign import printable
from ..core.yaml import read_yaml

_FOLDER = Path(__file__).resolve().parent / "experiments"
_MAX_ENTRIES = 1000
_MAX_SEEDS = 1000

OptionValue = str | int | float | bool | None


@dataclass(frozen=True)
class ExperimentEntry:
    """One configuration of a method.

    Attributes
    ----------
    label : str
        Its name on the board and in tables.
    method : str
        A registered name, or the path of a method's file.
    options : Mapping[str, OptionValue]
        Hyper-parameters that differ from the method's defaults.
    epochs : int or None
        Number of epochs; None means the experiment's, else the method's own.
    rules : tuple of str or None
        Rejection rules that get a row; None means the experiment's, else all.
    """

    label: str
    method: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    epochs: int | None = None
    rules: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Difference:
    """A comparison that the experiment asks for: ``better`` minus ``than``, in every metric of ``metrics``."""

    better: str
    than: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """What a paper prints.

    Attributes
    ----------
    paper, url : str
        Where it is printed.
    setting : Mapping[str, int]
        Sizes of the paper's experiment: images per source, sources, crop in pixels, training images per class.
    values : Mapping[str, Mapping[str, float]]
        Label of an entry -> metric -> number. ``f1.ProGAN`` is the F1 of one seen architecture, ``crr.StyleGAN`` the
        rejection rate of one unseen architecture.
    """

    paper: str
    url: str = ""
    setting: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """What to evaluate. See the module's text for the file that it is read from.

    Attributes
    ----------
    name : str
        The file's name without its ending.
    entries : tuple of ExperimentEntry
        Labels are unique.
    title : str
        One line for people.
    suite : str
        What ``osbench run`` generates: a packaged suite, or the path of a suite file.
    count : int or None
        Images per source; None means the suite's.
    protocol : str
        A packaged protocol, or the path of a protocol file.
    fold : str or None
        A fold of the protocol, or ``"all"``.
    seeds : int
        Every entry is fitted with seeds 0 to ``seeds - 1``.
    rules : tuple of str or None
        Rejection rules that get a row, for methods that have them; None means all.
    epochs : int or None
        Of entries that do not say their own; None means the methods' own.
    columns : tuple of str
        Metrics of the table of results.
    compare : tuple of Difference
        Differences that the table of results shows.
    published : Published or None
        What a paper prints.
    """

    name: str
    entries: tuple[ExperimentEntry, ...]
    title: str = ""
    suite: str = "mini"
    count: int | None = None
    protocol: str = "fang2023"
    fold: str | None = None
    seeds: int = 1
    rules: tuple[str, ...] | None = None
    epochs: int | None = None
    columns: tuple[str, ...] = ("auc_af1_crr", "af1", "crr", "accuracy")
    compare: tuple[Difference, ...] = ()
    published: Published | None = None

    def entry(self, label: str) -> ExperimentEntry:
        """The entry of that label; UsageError if there is none."""
        found = {entry.label: entry for entry in self.entries}
        if label not in found:
            raise unknown_name(f"entry of experiment {self.name}", label, found)
        return found[label]

    def chosen(self, labels: Sequence[str]) -> Experiment:
        """This experiment with these entries alone, all for none; UsageError for an unknown label."""
        if not labels:
            return self
        kept = {self.entry(label).label for label in labels}
        values = vars(self) | {
            "entries": tuple(entry for entry in self.entries if entry.label in kept),
            "compare": tuple(one for one in self.compare if {one.better, one.than} <= kept),
        }
        return Experiment(**values)


def experiment_names() -> list[str]:
    """Names of the packaged experiments, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_experiment(name: str | Path) -> Experiment:
    """Read an experiment.

    Parameters
    ----------
    name : str or Path
        The name of a packaged experiment, or the path of a YAML file. A ``suite``, ``protocol`` or method file that
        the experiment names by a relative path lies beside the experiment's file.

    Raises
    ------
    UsageError
        If there is no such experiment, or the file has an unknown key, a value of the wrong type, or a label twice.
    """
    text = str(name)
    if text in experiment_names():
        path = _FOLDER / f"{text}.yaml"
    elif text.endswith((".yaml", ".yml")):
        path = Path(name)
    else:
        raise unknown_name("experiment", text, experiment_names())
    document = read_yaml(path, UsageError)
    where = printable(path)
    if not isinstance(document, dict):
        raise UsageError(f"{where}: is no experiment; it needs 'entries'.")
    return _experiment(_Reader(document, where), path)


def _experiment(read: _Reader, path: Path) -> Experiment:
    read.refuse_unknown({f.name for f in fields(Experiment)} - {"name"})
    listed = read.mapping("entries")
    if not listed or len(listed) > _MAX_ENTRIES:
        raise UsageError(f"{read.where}: entries needs 1 to {_MAX_ENTRIES} entries, not {len(listed)}.")
    experiment = Experiment(
        name=path.stem,
        entries=tuple(_entry(read, label, value, path.parent) for label, value in listed.items()),
        title=read.text("title", ""),
        suite=_beside(path.parent, read.text("suite", "mini")),
        count=read.number("count", 1, 10**9),
        protocol=_beside(path.parent, read.text("protocol", "fang2023")),
        fold=read.text("fold", None),
        seeds=read.number("seeds", 1, _MAX_SEEDS) or 1,
        rules=read.names("rules"),
        epochs=read.number("epochs", 1, 10**6),
        columns=read.names("columns") or Experiment.columns,
        compare=tuple(_difference(read, number, value) for number, value in enumerate(read.sequence("compare"))),
        published=_published(read),
    )
    labels = {entry.label for entry in experiment.entries}
    for one in experiment.compare:
        for label in (one.better, one.than):
            if label not in labels:
                raise unknown_name(f"label in {read.where}: compare", label, labels)
    for label in experiment.published.values if experiment.published else ():
        if label not in labels:
            raise unknown_name(f"label in {read.where}: published", label, labels)
    return experiment


def _entry(read: _Reader, label: str, value: Any, folder: Path) -> ExperimentEntry:
    if not label.strip() or printable(label, 80) != label:
        raise UsageError(
            f"{read.where}: the label {printable(label)!r} is empty, too long or holds control characters."
        )
    inner = _Reader({} if value is None else value, f"{read.where}: entry {label}")
    inner.refuse_unknown({"method", "options", "epochs", "rules"})
    options = inner.mapping("options")
    for key, option in options.items():
        if not isinstance(option, str | int | float | bool | None):
            raise UsageError(f"{inner.where}: option {printable(key)} must be one value, not {type(option).__name__}.")
    return ExperimentEntry(
        label=label,
        method=_beside(folder, inner.text("method", label)),
        options=MappingProxyType(options),
        epochs=inner.number("epochs", 1, 10**6),
        rules=inner.names("rules"),
    )


def _difference(read: _Reader, number: int, value: Any) -> Difference:
    inner = _Reader(value, f"{read.where}: compare, number {number + 1}")
    inner.refuse_unknown({"better", "than", "metrics"})
    return Difference(inner.text("better"), inner.text("than"), inner.names("metrics") or ("auc_af1_crr",))


def _published(read: _Reader) -> Published | None:
    if "published" not in read.document:
        return None
    inner = _Reader(read.document["published"], f"{read.where}: published")
    inner.refuse_unknown({f.name for f in fields(Published)})
    values: dict[str, dict[str, float]] = {}
    for label, row in inner.mapping("values").items():
        numbers = _Reader(row, f"{inner.where}, {label}")
        values[label] = {metric: numbers.real(metric) for metric in numbers.document}
    setting = inner.mapping("setting")
    counts = _Reader(setting, f"{inner.where}, setting")
    return Published(
        paper=inner.text("paper"),
        url=inner.text("url", ""),
        setting={key: counts.number(key, 0, 10**12) or 0 for key in setting},
        values=values,
    )


def _beside(folder: Path, name: str) -> str:
    """A relative path of a file is meant from the experiment's folder; a name stays a name."""
    if name.endswith((".yaml", ".yml", ".py")) and not Path(name).is_absolute() and (folder / name).exists():
        return str(folder / name)
    return name


class _Reader:
    """Typed values of a YAML mapping; UsageError with the place, the key and what is expected."""

    def __init__(self, document: Any, where: str) -> None:
        if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
            raise UsageError(f"{where}: must be a mapping from names to values, not {type(document).__name__}.")
        self.document: dict[str, Any] = document
        self.where = where

    def refuse_unknown(self, known: set[str]) -> None:
        for key in self.document:
            if key not in known:
                raise UsageError(f"{self.where}: {unknown_name('key', printable(key), known)}")

    def text(self, key: str, default: Any = ...) -> Any:
        value = self.document.get(key, default)
        if value is ... or (value is not default and not isinstance(value, str)):
            raise self._wrong(key, "a text")
        return value

    def number(self, key: str, low: int, high: int) -> int | None:
        value = self.document.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(key, f"a whole number from {low} to {high}")
        return value

    def real(self, key: str) -> float:
        value = self.document.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        return float(value)

    def names(self, key: str) -> tuple[str, ...] | None:
        value = self.document.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of names")
        return tuple(dict.fromkeys(value))

    def sequence(self, key: str) -> list[Any]:
        value = self.document.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.document.get(key)
        return _Reader({} if value is None else value, f"{self.where}: {key}").document

    def _wrong(self, key: str, expected: str) -> UsageError:
        given = repr(self.document[key]) if key in self.document else "nothing"
        return UsageError(f"{self.where}: {key} must be {expected}, not {printable(given, 60)}.")
