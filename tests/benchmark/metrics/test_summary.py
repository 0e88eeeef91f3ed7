"""The table of metrics, and its way into JSON."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from osbench.benchmark import metrics
from osbench.benchmark.metrics import (
    FIXED_WITHOUT_REJECTION,
    METRICS,
    PER_GENERATOR,
    PRIMARY,
    all_metrics,
    defined_metrics,
    defined_per_generator,
    null_for_nan,
    primary_metric,
)
from osbench.benchmark.metrics.summary import metric
from osbench.benchmark.metrics.tally import Tally
from osbench.core.errors import RunError, UsageError

from .reference import simulated

NAMES = [
    "auc_af1_crr",
    "auc_af1_crr_pooled",
    "af1",
    "af1_known",
    "crr",
    "crr_pooled",
    "crr_worst",
    "auroc",
    "auroc_macro",
    "fpr95_id",
    "fpr95_ood",
    "oscr",
    "ccr_at_fpr_0.01",
    "ccr_at_fpr_0.1",
    "accuracy",
    "macro_f1",
]


def test_the_names_that_others_rely_on() -> None:
    values = all_metrics(simulated(), 0.5)
    assert list(values) == NAMES
    assert all(type(value) is float for value in values.values())
    assert PRIMARY in METRICS
    assert {name for name, m in METRICS.items() if m.lower_is_better} == {"fpr95_id", "fpr95_ood"}


def test_each_entry_is_the_public_function_of_its_name() -> None:
    outcome, threshold = simulated(), 0.5
    values = all_metrics(outcome, threshold)
    for name in ("auc_af1_crr", "auc_af1_crr_pooled", "auroc", "auroc_macro", "fpr95_id", "fpr95_ood", "oscr"):
        assert values[name] == getattr(metrics, name)(outcome)
    for name in ("af1", "af1_known", "crr", "crr_pooled", "crr_worst"):
        assert values[name] == getattr(metrics, name)(outcome, threshold)
    assert values["ccr_at_fpr_0.1"] == metrics.ccr_at_fpr(outcome, 0.1)
    assert values["accuracy"] == metrics.closed_set_accuracy(outcome)
    assert values["macro_f1"] == metrics.macro_f1(outcome)
    assert set(PER_GENERATOR) == {"f1_per_class", "crr_per_generator", "auroc_per_generator"}


def test_what_a_rule_that_never_rejects_has_by_construction() -> None:
    """One known score for all images, whatever the candidates: which metrics cannot move."""
    values: dict[str, set[float]] = {name: set() for name in METRICS}
    for seed in range(4):
        outcome = simulated(seed=seed)
        candidate = np.random.default_rng(seed).integers(0, outcome.n_classes, len(outcome))
        constant = replace(outcome, candidate=candidate, known_score=np.zeros(len(outcome)))
        for name, value in all_metrics(constant, 0.0).items():
            values[name].add(value)
    assert {name for name, found in values.items() if len(found) == 1} == set(FIXED_WITHOUT_REJECTION)


def test_a_closed_set_has_the_metrics_that_need_no_unseen_image() -> None:
    outcome = simulated(unseen_sizes=())
    values = all_metrics(outcome, 0.5)
    assert list(values) == list(defined_metrics(0)) == ["af1_known", "accuracy", "macro_f1"]
    assert list(defined_metrics(1)) == NAMES
    assert (list(defined_per_generator(0)), len(defined_per_generator(2))) == (["f1_per_class"], 3)
    assert all(0 <= value <= 1 for value in values.values())
    assert (primary_metric(0), primary_metric(1)) == ("accuracy", PRIMARY)
    for name in set(METRICS) - set(values):
        with pytest.raises(RunError, match="unseen") if name != "af1" else nullcontext():
            METRICS[name].kernel(Tally(outcome, 0.5))


def test_refusals() -> None:
    with pytest.raises(UsageError, match="Did you mean 'auroc'"):
        metric("aurock")
    with pytest.raises(ValueError, match="NaN"):
        all_metrics(simulated(), math.nan)


def test_nan_and_infinity_become_null() -> None:
    value = {"a": math.nan, "b": [1.0, np.inf, {"c": np.float64("nan")}], "d": np.array([1, 2]), "e": np.int64(3)}
    plain = null_for_nan({**value, "f": "text", "g": None, "h": True})
    expected = {"a": None, "b": [1.0, None, {"c": None}], "d": [1, 2], "e": 3, "f": "text", "g": None, "h": True}
    assert json.loads(json.dumps(plain, allow_nan=False)) == expected
