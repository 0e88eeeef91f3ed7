"""The table of an experiment: its numbers, its differences, and what a paper prints.

``results.json`` holds the tables of any number of experiments, ``RESULTS.md`` is the same for people. No number in
either is typed by hand: they are derived from the runs' predictions; printed ones stand in the experiment's file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from ..core.documents import to_json
from ..core.errors import RunError, unknown_name
from ..core.foreign import read_json
from ..core.publish import write_atomically
from ..core.schema import read_record
from ..core.text import printable
from ..generation.audit_record import Audit
from .answers import DEFAULT_THRESHOLD_RULE, Answers
from .experiment import CRR_EACH, F1_EACH, Experiment
from .manifest import Manifest
from .metrics import (
    FIXED_WITHOUT_REJECTION,
    METRICS,
    bootstrap_intervals,
    defined_metrics,
    paired_difference,
    per_generator_intervals,
)
from .metrics.intervals import Interval
from .new_sources.result import NewSources
from .result import (
    AGREES,
    BY_CONSTRUCTION,
    CANNOT_TELL,
    CONTRADICTS,
    Comparison,
    Made,
    Result,
    Results,
    Row,
    ShotsResult,
    Value,
)
from .results_text import results_markdown
from .runs import Run

JSON_FILE, PAGE_FILE = "results.json", "RESULTS.md"
REPLICATES = 1000

_MAX_BYTES = 64 << 20


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
        made=made_of(run for found in here.values() for run in found),
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
    for name in experiment.columns:
        if name not in METRICS and name not in (F1_EACH, CRR_EACH):
            raise unknown_name("metric", name, [*METRICS, F1_EACH, CRR_EACH])
    plain = [name for name in experiment.columns if name in defined_metrics(len(manifest.unseen))]
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
        elif name == CRR_EACH and manifest.unseen:
            pairs = zip(manifest.unseen, each["crr_per_generator"], strict=True)
            found |= {f"crr.{architectures.get(g, g)}": interval for g, interval in pairs}
        elif name in means:
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
            fixed = metric in FIXED_WITHOUT_REJECTION and any(a.never_rejects for side in sides for a in side)
            yield Comparison(
                better=one.better,
                than=one.than,
                metric=metric,
                difference=_rounded(found.difference),
                low=_rounded(found.low),
                high=_rounded(found.high),
                p_value=_rounded(found.p_value),
                verdict=BY_CONSTRUCTION if fixed else verdict(published, found.low, found.high),
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


def made_of(runs: Iterable[Run]) -> Made:
    """About the newest of some runs."""
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


def write_results(
    folder: Path,
    new: Sequence[Result] = (),
    shots: Sequence[ShotsResult] = (),
    new_sources: Sequence[NewSources] = (),
    audits: Sequence[Audit] = (),
) -> tuple[Path, Path]:
    """Put tables into ``results.json`` and render ``RESULTS.md``; returns both paths.

    A table replaces that of the same experiment, suite, fold and size; made in the same way, it keeps that one's other
    rows. RunError, and nothing is overwritten, if ``results.json`` cannot be read, or if rows would be lost because the
    table there was made in another way. Lines over shots replace those of the same experiment, whole, and so do
    measurements of new sources those of the same method, suite and protocol, and audits those of the same version.
    """
    data, page = folder / JSON_FILE, folder / PAGE_FILE
    before = read_results(data) if data.exists() else Results(())
    kept = {result.key: result for result in before.results}
    for result in new:
        kept[result.key] = _with_other_rows(result, kept.get(result.key), data)
    lines = {result.key: result for result in (*before.shots, *shots)}
    audited = {(one.suite, one.suite_version): one for one in (*before.audits, *audits)}
    joined = {one.key: one for one in (*before.new_sources, *new_sources)}
    found = Results(
        tuple(kept[key] for key in sorted(kept)),
        tuple(lines[key] for key in sorted(lines)),
        tuple(joined[key] for key in sorted(joined)),
        tuple(audited[key] for key in sorted(audited)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(data, (json.dumps(to_json(found), indent=1, allow_nan=False) + "\n").encode())
    write_atomically(page, results_markdown(found).encode())
    return data, page


def read_results(path: Path) -> Results:
    """The tables of a ``results.json``; RunError in one line if it is damaged or of another version."""
    return read_record(Results, read_json(path, RunError, _MAX_BYTES), printable(path), error=RunError)


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


def result_frame(result: Result) -> pd.DataFrame:
    """The rows as a data frame: ``label``, ``rule``, ``metric``, ``estimate``, ``low``, ``high``, ``published``."""
    columns = ["label", "rule", "metric", "estimate", "low", "high", "published"]
    rows = [
        (row.label, row.rule, name, value.estimate, value.low, value.high, value.published)
        for row in result.rows
        for name, value in row.values.items()
    ]
    return pd.DataFrame(rows, columns=columns)
