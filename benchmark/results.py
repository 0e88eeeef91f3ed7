"""The table of an experiment: its numbers, its differences, and what a paper prints beside them.

``results.json`` holds the tables of any number of experiments, ``RESULTS.md`` is the same for people. No number in
either is typed by hand: they are derived from the runs' predictions, and the printed ones stand in the experiment's file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from ..core.documents import Limits, Number, from_json, to_json
from ..core.errors import RunError, unknown_name
from ..core.foreign import printable, read_json
from ..core.markdown import markdown_table
from ..core.publish import write_atomically
from .answers import DEFAULT_THRESHOLD_RULE, Answers
from .experiment import CRR_EACH, F1_EACH, Experiment
from .manifest import Manifest
from .metrics import METRICS, bootstrap_intervals, paired_difference, per_generator_intervals
from .metrics.intervals import Interval
from .runs import Run

JSON_FILE, PAGE_FILE = "results.json", "RESULTS.md"
SCHEMA_VERSION = 2
REPLICATES = 1000

AGREES, CONTRADICTS, CANNOT_TELL = "agrees", "contradicts", "cannot tell"

_MAX_BYTES = 64 << 20
_SIZES = {
    "images_per_source": "images per source",
    "sources": "sources",
    "crop_size": "crop in pixels",
    "train_per_class": "training images per class and epoch",
}
_HEAD = """# Results

Written by `osbench run` from the runs' predictions; the same in `results.json`. Do not edit.

"here" is a mean over training seeds with a 95 % interval over seeds and images of these generators; "published" is what
a paper prints, "difference" is here minus published. A verdict compares directions only: *agrees* or *contradicts* if the
95 % interval of the difference between two rows (on the same images, Student's t over seeds) lies on one side of 0, else
*cannot tell*. Few seeds give wide intervals; the verdicts are not corrected for their number.
"""


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
    left_out: dict[str, str] = field(default_factory=dict)
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


def result_of(
    experiment: Experiment,
    runs: Mapping[str, Sequence[Run]],
    manifest: Manifest,
    architectures: Mapping[str, str],
    suite_version: str,
    *,
    left_out: Mapping[str, str] | None = None,
    replicates: int = REPLICATES,
) -> Result:
    """Compute the table of an experiment.

    Parameters
    ----------
    experiment : Experiment
        What was asked for.
    runs : mapping
        Label -> runs, one per seed; those on other manifests are left aside.
    manifest : Manifest
        The manifest of the table.
    architectures : mapping
        Generator -> name of its architecture, which the columns of single generators are called by.
    suite_version : str
        Version of the suite of the data set.
    left_out : mapping, optional
        Label -> why it could not run or failed.
    replicates : int
        Of every bootstrap.

    Raises
    ------
    UsageError
        For an unknown metric.
    RunError
        If no entry has a run on this manifest, or answers do not fit the manifest.
    """
    here = {label: [run for run in found if run.manifest_id == manifest.manifest_id] for label, found in runs.items()}
    here = {label: found for label, found in here.items() if found}
    if not here:
        raise RunError(f"experiment {experiment.name}: no entry has a run on fold {manifest.fold}.")
    answers = {
        label: {rule: [run.answers(rule, manifest) for run in found] for rule in _rules(experiment, label, found)}
        for label, found in here.items()
    }
    rows = [
        _row(experiment, label, rule, found, here[label], manifest, architectures, replicates)
        for label, by_rule in answers.items()
        for rule, found in by_rule.items()
    ]
    first = {label: next(iter(by_rule.values())) for label, by_rule in answers.items()}
    published = experiment.published
    return Result(
        experiment=experiment.name,
        title=experiment.title,
        paper=published.paper if published else "",
        url=published.url if published else "",
        suite=manifest.suite,
        suite_version=suite_version,
        protocol=manifest.protocol,
        fold=manifest.fold,
        manifest_id=manifest.manifest_id,
        setting=_setting(manifest),
        published_setting=dict(published.setting) if published else {},
        seeds=experiment.seeds,
        threshold_rule=DEFAULT_THRESHOLD_RULE,
        replicates=replicates,
        rows=tuple(rows),
        comparisons=tuple(_comparisons(experiment, first, replicates)),
        made=_made(run for found in here.values() for run in found),
        left_out=dict(left_out or {}),
        notes=experiment.notes,
    )


def _rules(experiment: Experiment, label: str, runs: Sequence[Run]) -> list[str]:
    """The rules of an entry that get a row: those asked for that it has; its reading rule where it has none of them."""
    wanted = experiment.configuration(label).rules or runs[0].rules
    return [rule for rule in wanted if rule in runs[0].rules] or [runs[0].rule()]


def _row(
    experiment: Experiment,
    label: str,
    rule: str,
    answers: Sequence[Answers],
    runs: Sequence[Run],
    manifest: Manifest,
    architectures: Mapping[str, str],
    replicates: int,
) -> Row:
    tests, thresholds = [a.test for a in answers], [a.threshold() for a in answers]
    plain = [name for name in experiment.columns if name not in (F1_EACH, CRR_EACH)]
    for name in plain:
        if name not in METRICS:
            raise unknown_name("metric", name, [*METRICS, F1_EACH, CRR_EACH])
    means = bootstrap_intervals(tests, thresholds, plain, replicates=replicates) if plain else {}
    each = (
        per_generator_intervals(tests, thresholds, replicates=replicates)
        if {F1_EACH, CRR_EACH} & set(experiment.columns)
        else {}
    )
    found: dict[str, Interval] = {}
    for name in experiment.columns:
        if name == F1_EACH:
            pairs = zip(manifest.seen, each["f1_per_class"], strict=True)
            found |= {f"f1.{architectures.get(g, g)}": interval for g, interval in pairs}
        elif name == CRR_EACH:
            pairs = zip(manifest.unseen, each["crr_per_generator"], strict=True)
            found |= {f"crr.{architectures.get(g, g)}": interval for g, interval in pairs}
        else:
            found[name] = means[name]
    printed = experiment.published.values.get(label, {}) if experiment.published else {}
    values = {
        name: Value(_rounded(i.estimate), _rounded(i.low), _rounded(i.high), printed.get(name))
        for name, i in found.items()
    }
    seconds = sum(run.info.wall_time_s for run in runs) / len(runs)
    return Row(label, runs[0].method, rule, values, round(seconds, 1))


def _comparisons(
    experiment: Experiment, answers: Mapping[str, Sequence[Answers]], replicates: int
) -> Iterable[Comparison]:
    printed = experiment.published.values if experiment.published else {}
    for one in experiment.compare:
        if one.better not in answers or one.than not in answers:
            continue
        sides = [answers[one.better], answers[one.than]]
        thresholds = [[a.threshold() for a in side] for side in sides]
        for metric in one.metrics:
            both = [printed.get(label, {}).get(metric) for label in (one.better, one.than)]
            published = None if both[0] is None or both[1] is None else round(both[0] - both[1], 6)
            found = paired_difference(
                [a.test for a in sides[0]],
                [a.test for a in sides[1]],
                metric,
                thresholds=(thresholds[0], thresholds[1]),
                replicates=replicates,
            )
            yield Comparison(
                better=one.better,
                than=one.than,
                metric=metric,
                difference=_rounded(found.difference),
                low=_rounded(found.low),
                high=_rounded(found.high),
                p_value=_rounded(found.p_value),
                verdict=verdict(published, found.low, found.high),
                published=published,
            )


def verdict(published: float | None, low: float, high: float) -> str:
    """Whether the interval of a difference lies on the same side of 0 as the printed difference.

    "cannot tell" where the interval holds 0, where nothing or 0 is printed, or where it is undefined.
    """
    if not published or not (low > 0 or high < 0):
        return CANNOT_TELL
    return AGREES if (low > 0) == (published > 0) else CONTRADICTS


def _setting(manifest: Manifest) -> dict[str, int]:
    counts = manifest.counts()
    per_class = manifest.rows("train")["class_index"].value_counts()
    return {
        "images_per_source": max(sum(splits.values()) for splits in counts.values()),
        "sources": len(counts),
        "crop_size": manifest.crop_size,
        "train_per_class": int(per_class.min()),
    }


def _made(runs: Iterable[Run]) -> Made:
    info = max((run.info for run in runs), key=lambda info: datetime.fromisoformat(info.created))
    return Made(
        created=info.created,
        torch=info.versions.get("torch", ""),
        device=info.hardware.device_name,
        revision=info.git.revision if info.git else "",
        dirty=bool(info.git and info.git.dirty),
    )


def _rounded(value: float) -> float:
    return round(float(value), 6) if math.isfinite(value) else math.nan


def write_results(folder: Path, new: Sequence[Result]) -> tuple[Path, Path]:
    """Put tables into ``results.json`` and render ``RESULTS.md``; returns both paths.

    A table replaces that of the same experiment, suite, fold and size; made in the same way, it keeps that one's other
    rows. RunError, and nothing is overwritten, if ``results.json`` cannot be read, or if rows would be lost because the
    table there was made in another way.
    """
    data, page = folder / JSON_FILE, folder / PAGE_FILE
    kept = {result.key: result for result in read_results(data).results} if data.exists() else {}
    for result in new:
        kept[result.key] = _with_other_rows(result, kept.get(result.key), data)
    ordered = tuple(kept[key] for key in sorted(kept))
    folder.mkdir(parents=True, exist_ok=True)
    document = to_json(Results(ordered))
    write_atomically(data, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    write_atomically(page, "\n".join([_HEAD, *map(result_markdown, ordered)]).encode())
    return data, page


def read_results(path: Path) -> Results:
    """The tables of a ``results.json``; RunError in one line if it is damaged or of another version."""
    return from_json(Results, read_json(path, RunError, _MAX_BYTES), printable(path), RunError)


def _with_other_rows(new: Result, before: Result | None, data: Path) -> Result:
    """The table with the rows that were asked for before and not now."""
    asked = {row.label for row in new.rows}
    other = [row for row in before.rows if row.label not in asked] if before else []
    if before is None or not other:
        return new
    made = ("manifest_id", "seeds", "threshold_rule", "replicates")
    changed = [name for name in made if getattr(before, name) != getattr(new, name)]
    if changed:
        lost = ", ".join(sorted({row.label for row in other}))
        raise RunError(
            f"{data}: the table of {new.experiment} there has rows that this one lacks ({lost}) and was made with "
            f"another {', '.join(changed)}: make all rows, or write elsewhere."
        )
    differences = {(c.better, c.than, c.metric): c for c in (*before.comparisons, *new.comparisons)}
    return replace(new, rows=(*other, *new.rows), comparisons=tuple(differences.values()))


def result_markdown(result: Result) -> str:
    """One table for people, with its differences and how it was made."""
    size = f"{result.suite_version}, {result.setting.get('images_per_source', 0):,} images per source"
    paper = f" [{result.paper}]({result.url})." if result.paper else ""
    parts = [
        f"## {result.experiment}, on the suite {result.suite} ({size})",
        f"{result.title.rstrip('.')}.{paper}",
        *([_sizes(result)] if result.published_setting else []),
        _values(result),
    ]
    if result.comparisons:
        parts.append(_differences(result))
    parts += list(result.notes)
    parts += [f"Left out: {label}: {reason}" for label, reason in result.left_out.items()]
    return "\n\n".join([*parts, _made_text(result)]) + "\n"


def _sizes(result: Result) -> str:
    ours, theirs = result.setting, result.published_setting
    rows = [(title, f"{theirs[key]:,}", f"{ours.get(key, 0):,}") for key, title in _SIZES.items() if key in theirs]
    if all(ours.get(key) == value for key, value in theirs.items()):
        claim = "The sizes are the paper's: values may be compared, within what seeds and weights leave open."
    else:
        claim = (
            "**The sizes differ, and so do contents and generators: the values may not be compared with the paper's. "
            "What may be compared is the direction of a difference between two rows.**"
        )
    return f"{markdown_table(['', 'paper', 'here'], rows)}\n\n{claim}"


def _values(result: Result) -> str:
    metrics = list(dict.fromkeys(name for row in result.rows for name in row.values))
    single = len({(row.label, row.rule) for row in result.rows}) == len({row.label for row in result.rows})
    printed = any(value.published is not None for row in result.rows for value in row.values.values())
    lines = []
    for row in result.rows:
        name = row.label if single else f"{row.label}, {row.rule}"
        values = [row.values.get(metric) for metric in metrics]
        if printed:
            lines.append([name, "published", *(_plain(v.published if v else None) for v in values)])
            lines.append(["", "here", *map(_estimate, values)])
            lines.append(["", "difference", *map(_gap, values)])
        else:
            lines.append([name, *map(_estimate, values)])
    head = ["entry", *([""] if printed else []), *(_title(metric) for metric in metrics)]
    return markdown_table(head, lines)


def _title(metric: str) -> str:
    kind, _, generator = metric.partition(".")
    return (
        f"{generator} {kind.upper()}"
        if generator
        else {"auc_af1_crr": "AUC", "af1": "aF1", "crr": "CRR"}.get(metric, metric)
    )


def _differences(result: Result) -> str:
    rows = [
        [
            f"{c.better} minus {c.than}",
            _title(c.metric),
            "-" if c.published is None else f"{c.published:+.3f}",
            f"{c.difference:+.3f} ({c.low:+.3f} to {c.high:+.3f})" if math.isfinite(c.difference) else "-",
            _plain(c.p_value),
            c.verdict if c.published is not None else "",
        ]
        for c in result.comparisons
    ]
    table = markdown_table(["difference", "metric", "published", "here", "p", "direction"], rows)
    return f"Differences on the same images (paired):\n\n{table}"


def _made_text(result: Result) -> str:
    made = result.made
    revision = f", revision {made.revision[:10]}{' with changes' if made.dirty else ''}" if made.revision else ""
    seeds = f"{result.seeds} seed{'' if result.seeds == 1 else 's'}"
    return (
        f"{seeds}, threshold `{result.threshold_rule}`, manifest `{result.manifest_id[:12]}`, {result.replicates} "
        f"bootstrap replicates. {made.created[:10]}, {made.device}, torch {made.torch}{revision}."
    )


def _plain(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _estimate(value: Value | None) -> str:
    if value is None or not math.isfinite(value.low) or not math.isfinite(value.high):
        return _plain(value.estimate if value else None)
    return f"{value.estimate:.3f} ({value.low:.3f} to {value.high:.3f})"


def _gap(value: Value | None) -> str:
    if value is None or value.published is None or not math.isfinite(value.estimate):
        return "-"
    return f"{value.estimate - value.published:+.3f}"


def result_frame(result: Result) -> Any:
    """The rows as a pandas data frame: ``label``, ``rule``, ``metric``, ``estimate``, ``low``, ``high``, ``published``."""
    import pandas as pd

    columns = ["label", "rule", "metric", "estimate", "low", "high", "published"]
    rows = [
        (row.label, row.rule, name, value.estimate, value.low, value.high, value.published)
        for row in result.rows
        for name, value in row.values.items()
    ]
    return pd.DataFrame(rows, columns=columns)
