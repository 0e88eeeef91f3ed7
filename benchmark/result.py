"""The documents of a table of results: what ``results.json`` holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ..core.schema import Limits, Number

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Value:
    """A number here, and as it is printed.

    Parameters
    ----------
    estimate, low, high : float
        Mean over training seeds with its interval; NaN where undefined.
    published : float, optional
        As printed.
    """

    estimate: Number
    low: Number
    high: Number
    published: float | None = None


@dataclass(frozen=True)
class Row:
    """One entry by one rejection rule.

    Parameters
    ----------
    label, method, rule : str
        The entry, its method and the rejection rule.
    values : dict of str to Value
        Metric -> value, in the order of the columns.
    seconds : float
        Wall time of a fit, mean over seeds.
    """

    label: str
    method: str
    rule: str
    values: dict[str, Value]
    seconds: Number


@dataclass(frozen=True)
class Comparison:
    """A difference of two entries on the same images.

    Parameters
    ----------
    better, than, metric : str
        ``better`` minus ``than``.
    difference, low, high, p_value : float
        Mean over seeds, its 95 % interval, two-sided p; NaN where undefined.
    verdict : str
        Whether the direction is that of the printed difference.
    published : float, optional
        The printed difference.
    """

    better: str
    than: str
    metric: str
    difference: Number
    low: Number
    high: Number
    p_value: Number
    verdict: str
    published: float | None = None


@dataclass(frozen=True)
class Made:
    """When, where and with what the newest run was made."""

    created: str
    torch: str
    device: str
    revision: str
    dirty: bool


@dataclass(frozen=True)
class Result:
    """The table of one experiment on one manifest.

    Parameters
    ----------
    experiment, title, paper, url : str
        The experiment, and what it reproduces if anything.
    suite, suite_version, protocol, fold, manifest_id : str
        What was answered.
    setting, published_setting : dict of str to int
        Sizes here and in the paper.
    seeds : int
        Training seeds of an entry.
    threshold_rule : str
        Chooses the threshold on seen validation images.
    replicates : int
        Of every bootstrap.
    rows : tuple of Row
        Entries by rule.
    comparisons : tuple of Comparison
        Differences that the experiment asks for.
    left_out : dict of str to str
        Label -> why it has no row.
    notes : tuple of str
        What a reader should know, from the experiment's file.
    made : Made
        About the newest run.
    """

    experiment: str
    title: str
    paper: str
    url: str
    suite: str
    suite_version: str
    protocol: str
    fold: str
    manifest_id: str
    setting: dict[str, int]
    published_setting: dict[str, int]
    seeds: int
    threshold_rule: str
    replicates: int
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    made: Made
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What a newer table replaces: the same experiment on the same suite, fold and size."""
        return self.experiment, self.suite, self.fold, self.setting.get("images_per_source", 0)


@dataclass(frozen=True)
class Results:
    """The tables of ``results.json``."""

    results: Annotated[tuple[Result, ...], Limits(longest=10_000)]
    schema_version: Literal[2] = SCHEMA_VERSION
