"""From a run's answers to its numbers. Always computed, never stored as the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import UsageError
from .content import content_rows, content_table
from .manifest import Manifest
from .metrics import (
    Outcome,
    auroc_per_generator,
    bootstrap_intervals,
    choose_threshold,
    crr_per_generator,
    generator_interval,
    null_for_nan,
    per_generator_intervals,
)
from .metrics import threshold_rule as rule_of
from .predictions import Predictions
from .runs import Run

DEFAULT_RULE = "accept-95"


@dataclass(frozen=True)
class Answers:
    """A run's answers as the input of the metrics: seen validation images, and all test images."""

    validation: Outcome
    test: Outcome


def answers_of(run: Run, manifest: Manifest) -> Answers:
    """Join a run's predictions with the truth; RunError if they do not fit the manifest exactly."""
    predictions = run.predictions(manifest)
    is_test = np.asarray(manifest.rows("val", "test")["split"] == "test")
    return Answers(
        validation=_outcome(predictions.take(~is_test), manifest, "val", 0),
        test=outcome_of_test(predictions.take(is_test), manifest),
    )


def outcome_of_test(predictions: Predictions, manifest: Manifest) -> Outcome:
    """The answers to all test images, in the order of the manifest, with the truth."""
    return _outcome(predictions, manifest, "test", len(manifest.unseen))


def _outcome(predictions: Predictions, manifest: Manifest, split: str, n_unseen: int) -> Outcome:
    rows, scores = manifest.rows(split), predictions.scores
    groups = {name: i for i, name in enumerate(manifest.unseen)}
    return Outcome(
        truth=np.asarray(rows["class_index"], dtype=np.int64),
        unseen_group=np.array([groups.get(name, -1) for name in rows["generator"]], dtype=np.int64),
        candidate=scores.candidate,
        known_score=scores.known_score.astype(np.float64),
        n_classes=len(manifest.seen),
        n_unseen=n_unseen,
    )


def threshold_of(run: Run, manifest: Manifest, rule: str = DEFAULT_RULE) -> tuple[float, np.ndarray]:
    """The threshold for images that nobody has labelled, and the known_scores of seen validation images (n,).

    UsageError for an oracle rule: it needs the labels of the very images that are asked about.
    """
    if rule_of(rule).oracle:
        raise UsageError(
            f"threshold rule '{rule}' looks at test labels; choose one that does not, e.g. {DEFAULT_RULE}."
        )
    validation = answers_of(run, manifest).validation
    return choose_threshold(rule, validation), validation.known_score


def score_run(
    run: Run, manifest: Manifest, *, threshold_rule: str = DEFAULT_RULE, bootstrap: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Every number of one run, as a JSON-able document (undefined numbers are None).

    Keys: ``run``, ``method``, ``rejection``, ``seed``, ``manifest`` (id, protocol, fold, suite), ``threshold``
    (``rule``, ``value``, ``oracle``), ``metrics`` (name -> estimate and interval over images: *these generators*),
    ``new_generator`` (name -> interval over unseen generators: *a generator nobody has tested*), ``per_generator``
    (seen: ``f1``; unseen: ``crr``, ``auroc``; each with its interval), ``confusion`` (``rows``, ``columns`` ending in
    ``unknown``, ``counts``), ``composition`` (images per source and split), ``bootstrap`` (``replicates``, ``seed``);
    where the manifest holds a training set out also ``content`` (see :func:`.content.content_rows`).

    Raises UsageError for an unknown threshold rule, RunError for answers that do not fit the manifest.
    """
    answers = answers_of(run, manifest)
    threshold = choose_threshold(threshold_rule, answers.validation, answers.test)
    intervals = bootstrap_intervals(answers.test, threshold, replicates=bootstrap, seed=seed)
    new_generator = {
        "crr": generator_interval(crr_per_generator(answers.test, threshold)),
        "auroc_macro": generator_interval(auroc_per_generator(answers.test)),
    }
    return null_for_nan(
        {
            "run": str(run.folder),
            "method": run.method,
            "rejection": run.rejection,
            "seed": run.seed,
            "manifest": {
                "manifest_id": manifest.manifest_id,
                "protocol": manifest.protocol,
                "fold": manifest.fold,
                "suite": manifest.suite,
            },
            "threshold": {"rule": threshold_rule, "value": threshold, "oracle": rule_of(threshold_rule).oracle},
            "metrics": {name: interval.to_json() for name, interval in intervals.items()},
            "new_generator": {name: interval.to_json() for name, interval in new_generator.items()},
            "per_generator": _per_generator(answers.test, manifest, threshold, bootstrap, seed),
            "confusion": confusion(answers.test, manifest, threshold),
            "composition": manifest.counts(),
            "bootstrap": {"replicates": bootstrap, "seed": seed},
            **_content(answers, manifest, threshold),
        }
    )


def _content(answers: Answers, manifest: Manifest, threshold: float) -> dict[str, Any]:
    rows = content_rows(answers.validation, answers.test, manifest, threshold)
    return {"content": rows} if rows else {}


def _per_generator(
    test: Outcome, manifest: Manifest, threshold: float, replicates: int, seed: int
) -> dict[str, dict[str, Any]]:
    intervals = per_generator_intervals(test, threshold, replicates=replicates, seed=seed)
    images = Counter(manifest.rows("test")["generator"])
    seen = {
        name: {"openness": "seen", "images": images[name], "f1": f1.to_json()}
        for name, f1 in zip(manifest.seen, intervals["f1_per_class"], strict=True)
    }
    unseen = {
        name: {"openness": "unseen", "images": images[name], "crr": crr.to_json(), "auroc": auroc.to_json()}
        for name, crr, auroc in zip(
            manifest.unseen, intervals["crr_per_generator"], intervals["auroc_per_generator"], strict=True
        )
    }
    return seen | unseen


def confusion(test: Outcome, manifest: Manifest, threshold: float) -> dict[str, Any]:
    """Counts of test images: rows = true generator (seen, then unseen), columns = answer, the last one ``unknown``."""
    n = test.n_classes
    truth = np.where(test.truth >= 0, test.truth, n + test.unseen_group)
    answer = np.where(test.known_score >= threshold, test.candidate, n)
    counts = np.zeros((n + test.n_unseen, n + 1), np.int64)
    np.add.at(counts, (truth, answer), 1)
    return {
        "rows": [*manifest.seen, *manifest.unseen],
        "columns": [*manifest.seen, "unknown"],
        "counts": counts.tolist(),
    }


def score_tables(document: dict[str, Any]) -> str:
    """The document of :func:`score_run` for people: metrics, generators, content if some is held out, confusion."""
    threshold = document["threshold"]
    head = (
        f"{document['method']} / {document['rejection']}, seed {document['seed']}, {document['manifest']['fold']}: "
        f"threshold {threshold['value']:.4g} by {threshold['rule']}"
        f"{' (oracle: never ranked)' if threshold['oracle'] else ''}"
    )
    metrics = pd.DataFrame(
        [(name, _number(m["estimate"]), _range(m)) for name, m in document["metrics"].items()],
        columns=["metric", "value", "95 % (these generators)"],
    )
    fresh = pd.DataFrame(
        [(name, _number(m["estimate"]), _range(m)) for name, m in document["new_generator"].items()],
        columns=["metric", "value", "95 % (a new generator)"],
    )
    confusion = document["confusion"]
    generators = pd.DataFrame(
        [
            (
                name,
                g["openness"],
                g["images"],
                *(_number(g.get(key, {}).get("estimate")) for key in ("f1", "crr", "auroc")),
            )
            for name, g in document["per_generator"].items()
        ],
        columns=["generator", "", "images", "F1", "rejected", "AUROC"],
    )
    counts = pd.DataFrame(confusion["counts"], index=confusion["rows"], columns=confusion["columns"])
    tables = [table.to_string(index=False) for table in (metrics, fresh, generators)]
    tables += [content_table(document["content"])] if "content" in document else []
    return "\n\n".join(
        [head, *tables, "answers (columns) to the test images of each generator (rows):\n" + str(counts)]
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _range(interval: dict[str, Any]) -> str:
    return f"{_number(interval['low'])} .. {_number(interval['high'])}"
