"""Table 3 of paper 1: the proposed method, closed-set classifiers that never reject, and forensic similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...benchmark.manifest import generator_architectures
from ...benchmark.metrics import per_generator_intervals
from .experiment import Entry, Experiment, Trained, beside, comparison, made_with
from .published import Paper

PROPOSED, NETWORK = "proposed", "mislnet"
"""Paper 1 chooses MISLNet with pre-training for this table."""


def make_table3(paper: Paper, experiment: Experiment, *, rows: Sequence[str] = ()) -> dict[str, Any]:
    """Train every method of the table; returns ``rows``, one for each method, and ``made`` (:func:`made_with`).

    Numbers at a threshold are those of the rule ``accept-95``; paper 1 does not say how it chose its own.

    Keys of a row: ``method``, ``rejection``, ``f1`` and ``crr_each`` (architecture -> :func:`beside`), ``af1``, ``crr``
    and ``accuracy`` (:func:`beside`), ``proposed_minus_this`` (``af1`` and ``crr`` -> :func:`comparison`; empty for the
    proposed method itself), ``seconds`` per seed. ``epochs`` of the experiment are those of every method, also of the
    similarity networks, which learn from cameras. ``rows``: only these methods; UsageError for others.
    """
    table, printed = paper.table(3), paper.chosen_rows(3, rows)
    entries = experiment.entries({name: _trained(name, row["rejection"], experiment) for name, row in printed.items()})
    return {
        "rows": [_row(name, entry, table, experiment, entries.get(PROPOSED)) for name, entry in entries.items()],
        "made": made_with(entries.values()),
    }


def _trained(method: str, rejection: str, experiment: Experiment) -> Trained:
    options: dict[str, Any] = {}
    if method == PROPOSED:
        options = {"network": NETWORK, "preset": experiment.preset, "init": experiment.camera_weights(NETWORK)[0]}
    return Trained(f"{method} ({rejection})", method, rejection, options)


def _row(
    method: str, entry: Entry, table: dict[str, Any], experiment: Experiment, proposed: Entry | None
) -> dict[str, Any]:
    printed, manifest = table["rows"][method], experiment.manifest
    architectures = generator_architectures(experiment.dataset)
    each = per_generator_intervals(entry.tests, entry.thresholds, replicates=experiment.replicates)
    f1 = dict(zip([architectures[g] for g in manifest.seen], each["f1_per_class"], strict=True))
    crr = dict(zip([architectures[g] for g in manifest.unseen], each["crr_per_generator"], strict=True))
    means = entry.intervals(["af1", "crr", "accuracy"], experiment.replicates)
    against = {}
    if proposed is not None and method != PROPOSED:
        ours = table["rows"][PROPOSED]
        against = {
            name: comparison(ours[name] - printed[name], proposed, entry, name, experiment.replicates)
            for name in ("af1", "crr")
        }
    return {
        "method": method,
        "rejection": printed["rejection"],
        "f1": {a: beside(value, f1[a]) for a, value in zip(table["seen"], printed["f1"], strict=True) if a in f1},
        "crr_each": {
            a: beside(value, crr[a]) for a, value in zip(table["unseen"], printed["crr_each"], strict=True) if a in crr
        },
        "af1": beside(printed["af1"], means["af1"]),
        "crr": beside(printed["crr"], means["crr"]),
        "accuracy": beside(None, means["accuracy"]),
        "proposed_minus_this": against,
        "seconds": round(entry.seconds, 1),
    }
