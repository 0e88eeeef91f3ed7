"""The documents of a table of results: what ``results.json`` holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ..core.schema import Limits, Number
from ..generation.audit_record import Audit
from .new_sources.result import NewSources
from .shots.curves import ShotCurves

SCHEMA_VERSION = 2

AGREES, CONTRADICTS, CANNOT_TELL, BY_CONSTRUCTION = "agrees", "contradicts", "cannot tell", "by construction"
"""Verdicts on a difference."""


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
        Whether the direction is that of the printed difference, or whether the metric is fixed for a side that never
        rejects.
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
class Direction:
    """Whether a trained and a training-free entry lie as a paper says.

    Parameters
    ----------
    trained, training_free : str
        Labels.
    few, many : str
        The verdict with the fewest shots, where the paper has the training-free one ahead, and with the most.
    """

    trained: str
    training_free: str
    few: str
    many: str


@dataclass(frozen=True)
class ShotsResult:
    """The metric against shots of one experiment.

    Parameters
    ----------
    experiment, title, paper, url : str
        The experiment, and what it reproduces if anything.
    suite_version : str
        Of the data set.
    setting, published_setting : dict of str to int
        Sizes here and in the paper.
    ahead : dict of str to int
        Training-free entry -> up to how many shots the paper finds it ahead.
    curves : ShotCurves
        Lines and crossings.
    directions : tuple of Direction
        Of every trained entry with those of ``ahead``.
    left_out : dict of str to str
        Label -> why it has no line, or lacks points.
    notes : tuple of str
        What a reader should know, from the experiment's file.
    made : Made
        About the newest run.
    """

    experiment: str
    title: str
    paper: str
    url: str
    suite_version: str
    setting: dict[str, int]
    published_setting: dict[str, int]
    ahead: dict[str, int]
    curves: ShotCurves
    directions: Annotated[tuple[Direction, ...], Limits(longest=100_000)]
    made: Made
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What a newer one replaces."""
        return self.experiment, self.curves.title


@dataclass(frozen=True)
class Results:
    """The tables of ``results.json``."""

    results: Annotated[tuple[Result, ...], Limits(longest=10_000)]
    shots: Annotated[tuple[ShotsResult, ...], Limits(longest=10_000)] = ()
    new_sources: Annotated[tuple[NewSources, ...], Limits(longest=1000)] = ()
    audits: Annotated[tuple[Audit, ...], Limits(longest=1000)] = ()
    schema_version: Literal[2] = SCHEMA_VERSION
