"""Tables of results as Markdown, for people."""

from __future__ import annotations

import math
from collections import Counter

from ..core.markdown import markdown_table
from ..generation.audit_record import audit_markdown
from .new_sources.text import new_sources_markdown
from .result import BY_CONSTRUCTION, Made, Result, Results, ShotsResult, Value
from .shots.curves import ShotCurves
from .shots.text import crossing_cells, gap_text, line_rows, shot_names

_SIZES = {
    "images_per_source": "images per source",
    "sources": "sources",
    "crop_size": "crop in pixels",
    "train_per_class": "training images per class and epoch",
    "test_per_source": "test images per source",
    "most_shots": "most shots",
    "repeats": "repeats",
}
_HEAD = """# Results

Written by `osbench run` from the runs' predictions; the same in `results.json`. Do not edit.

"here" is a mean over training seeds with a 95 % interval over seeds and images of these generators; "published" is
what a paper prints, "difference" is here minus published. A verdict compares directions only: *agrees* or *contradicts*
if the 95 % interval of the difference between two rows (on the same images, Student's t over seeds) lies on one side of
0, else *cannot tell*. *By construction*: one of the two rows never rejects, so that this metric says nothing of its
training (a CRR of 0, an AUROC of 0.5). Few seeds give wide intervals; the verdicts are not corrected for their number.
"""


def results_markdown(results: Results) -> str:
    """``RESULTS.md``: every table, in order."""
    tables = [*map(result_markdown, results.results), *map(shots_markdown, results.shots)]
    audits = [f"## Audit of {one.suite} ({one.suite_version})\n\n{audit_markdown(one)}\n" for one in results.audits]
    return "\n".join([_HEAD, *audits, *tables, *map(new_sources_markdown, results.new_sources)])


def result_markdown(result: Result) -> str:
    """One table for people, with its differences and how it was made."""
    size = f"{result.suite_version}, {result.setting.get('images_per_source', 0):,} images per source"
    parts = [
        f"## {result.experiment}, on the suite {result.suite} ({size})",
        _title_line(result),
        *([_sizes(result)] if result.published_setting else []),
        _values(result),
    ]
    if result.comparisons:
        parts.append(_differences(result))
    parts += list(result.notes)
    parts += [f"Left out: {label}: {reason}" for label, reason in result.left_out.items()]
    return "\n\n".join([*parts, _made_text(result)]) + "\n"


def shots_markdown(result: ShotsResult) -> str:
    """Lines over shots for people, and where they cross."""
    curves = result.curves
    parts = [
        f"## {result.experiment}: {curves.title} ({result.suite_version})",
        _title_line(result),
        *([_sizes(result)] if result.published_setting else []),
        markdown_table(["entry", *shot_names(curves)], line_rows(curves)),
        _intervals(curves),
    ]
    if curves.crossings:
        parts += ["### Where is the crossing?", _crossings(result)]
    if result.directions:
        parts.append(_directions(result))
    parts += list(result.notes)
    parts += [f"Left out: {label}: {reason}" for label, reason in result.left_out.items()]
    return "\n\n".join([*parts, f"{curves.replicates} bootstrap replicates. {_machine_text(result.made)}"]) + "\n"


def _intervals(curves: ShotCurves) -> str:
    what = f"{curves.groups} groups of test images are" if curves.groups else "test images are"
    more = ", and what other repeats would change is added" if curves.repeats > 1 else ""
    repeats = f"{curves.repeats} repeat{'' if curves.repeats == 1 else 's'}"
    return f"{curves.metric}, mean over {repeats}, with 95 % intervals: {what} resampled{more}."


def _crossings(result: ShotsResult) -> str:
    said = {(d.trained, d.training_free): [d.few, d.many] for d in result.directions}
    rows = [
        [
            crossing.trained,
            crossing.training_free,
            *crossing_cells(crossing, result.curves),
            gap_text(crossing.fewest),
            gap_text(crossing.most),
            *(said.get((crossing.trained, crossing.training_free), ["", ""]) if said else []),
        ]
        for crossing in result.curves.crossings
    ]
    few, many = min(result.curves.shots), max(result.curves.shots)
    head = ["trained", "is above", "from shots on", "95 %", f"difference at {few}", f"difference at {many}"]
    return markdown_table([*head, *([f"paper, at {few}", f"paper, at {many}"] if said else [])], rows)


def _directions(result: ShotsResult) -> str:
    said = "; ".join(f"{label} is ahead with up to {shots} shots" for label, shots in result.ahead.items())
    counts = [
        f"with {which} shots {', '.join(f'{count} {verdict}' for verdict, count in Counter(verdicts).items())}"
        for which, verdicts in (
            ("the fewest", [direction.few for direction in result.directions]),
            ("the most", [direction.many for direction in result.directions]),
        )
    ]
    here = f"Of {len(result.directions)} trained entries here, {'; '.join(counts)}."
    return f"The paper: {said}, trained methods are with more. {here}"


def _title_line(result: Result | ShotsResult) -> str:
    paper = f" [{result.paper}]({result.url})." if result.paper else ""
    return f"{result.title.rstrip('.')}.{paper}"


def _sizes(result: Result | ShotsResult) -> str:
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
    lines: list[list[str]] = []
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
            "" if c.published is None and c.verdict != BY_CONSTRUCTION else c.verdict,
        ]
        for c in result.comparisons
    ]
    table = markdown_table(["difference", "metric", "published", "here", "p", "direction"], rows)
    return f"Differences on the same images (paired):\n\n{table}"


def _made_text(result: Result) -> str:
    seeds = f"{result.seeds} seed{'' if result.seeds == 1 else 's'}"
    return (
        f"{seeds}, threshold `{result.threshold_rule}`, manifest `{result.manifest_id[:12]}`, {result.replicates} "
        f"bootstrap replicates. {_machine_text(result.made)}"
    )


def _machine_text(made: Made) -> str:
    revision = f", revision {made.revision[:10]}{' with changes' if made.dirty else ''}" if made.revision else ""
    return f"{made.created[:10]}, {made.device}, torch {made.torch}{revision}."


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
