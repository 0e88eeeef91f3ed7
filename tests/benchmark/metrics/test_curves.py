"""Curves and areas: literal oracles, ties, order of the rows, bounds, and the errors of code in circulation."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from osbench.benchmark import metrics
from osbench.benchmark.metrics import METRICS, Outcome, all_metrics
from osbench.core.errors import RunError

from . import reference
from .reference import outcomes, simulated


def with_scores(outcome: Outcome, scores: np.ndarray) -> Outcome:
    return Outcome(outcome.truth, outcome.unseen_group, outcome.candidate, scores, outcome.n_classes, outcome.n_unseen)


@given(outcomes(), st.data())
def test_all_metrics_are_the_literal_definitions(outcome: Outcome, data: st.DataObject) -> None:
    threshold = data.draw(st.sampled_from(outcome.known_score.tolist()))
    expected = reference.all_metrics(outcome, threshold)
    found = all_metrics(outcome, threshold)
    assert set(found) == set(expected)
    for name, value in expected.items():
        if value is None:
            assert math.isnan(found[name]), name
        else:
            assert found[name] == pytest.approx(float(value), abs=1e-12), name


@given(outcomes())
def test_the_curve_has_every_distinct_score_and_both_ends(outcome: Outcome) -> None:
    thresholds, crr, af1 = metrics.af1_crr_curve(outcome)
    assert thresholds.tolist() == [*reference.thresholds(outcome), math.inf]
    assert (crr[0], crr[-1], af1[-1]) == (0.0, 1.0, 0.0)
    assert np.all(np.diff(crr) >= 0)
    for k, threshold in enumerate(thresholds):
        assert (crr[k], af1[k]) == (metrics.crr(outcome, threshold), metrics.af1(outcome, threshold))
    assert metrics.auc_af1_crr(outcome) == pytest.approx(np.trapezoid(af1, crr), abs=1e-12)


@given(outcomes())
def test_oscr_is_the_area_under_its_curve(outcome: Outcome) -> None:
    thresholds, fpr, ccr = metrics.oscr_curve(outcome)
    assert thresholds[0] == math.inf
    assert np.all(np.diff(thresholds) < 0)
    assert (fpr[0], ccr[0], fpr[-1]) == (0.0, 0.0, 1.0)
    assert ccr[-1] == pytest.approx(metrics.closed_set_accuracy(outcome), abs=1e-12)
    assert metrics.oscr(outcome) == pytest.approx(np.trapezoid(ccr, fpr), abs=1e-12)


@given(outcomes())
def test_bounds(outcome: Outcome) -> None:
    for name, value in all_metrics(outcome, float(np.median(outcome.known_score))).items():
        assert math.isnan(value) or 0.0 <= value <= 1.0 + 1e-12, name
    assert metrics.oscr(outcome) <= min(metrics.closed_set_accuracy(outcome), metrics.auroc(outcome)) + 1e-12


@given(outcomes())
def test_auroc_agrees_with_scikit_learn(outcome: Outcome) -> None:
    # sklearn wants scores whose differences do not overflow; ranks have the same AUROC.
    rank = outcome.ranking[1].astype(float)
    assert metrics.auroc(outcome) == pytest.approx(roc_auc_score(outcome.truth >= 0, rank), abs=1e-12)
    for u, value in enumerate(metrics.auroc_per_generator(outcome)):
        rows = (outcome.truth >= 0) | (outcome.unseen_group == u)
        assert value == pytest.approx(roc_auc_score(outcome.truth[rows] >= 0, rank[rows]), abs=1e-12)


@given(outcomes(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(outcome: Outcome, random) -> None:
    rows = list(range(len(outcome)))
    random.shuffle(rows)
    threshold = float(outcome.known_score[0])
    assert metrics.null_for_nan(all_metrics(outcome.take(np.array(rows)), threshold)) == metrics.null_for_nan(
        all_metrics(outcome, threshold)
    )


@given(outcomes(), st.data())
def test_renaming_generators_changes_nothing(outcome: Outcome, data: st.DataObject) -> None:
    seen = np.array([*data.draw(st.permutations(range(outcome.n_classes))), -1])
    unseen = np.array([*data.draw(st.permutations(range(outcome.n_unseen))), -1])
    renamed = Outcome(
        seen[outcome.truth],
        unseen[outcome.unseen_group],
        seen[outcome.candidate],
        outcome.known_score,
        outcome.n_classes,
        outcome.n_unseen,
    )
    threshold = float(outcome.known_score[0])
    before, after = all_metrics(outcome, threshold), all_metrics(renamed, threshold)
    assert after == pytest.approx(before, abs=1e-12, nan_ok=True)
    new_f1 = metrics.f1_per_class(renamed, threshold)
    assert new_f1[seen[:-1]].tolist() == metrics.f1_per_class(outcome, threshold).tolist()


@given(outcomes())
def test_only_the_order_of_scores_matters(outcome: Outcome) -> None:
    ranks = with_scores(outcome, 3.0 * outcome.ranking[1] - 7.0)
    for name, metric in METRICS.items():
        if metric.uses != "threshold":
            one, other = all_metrics(outcome, 0.0)[name], all_metrics(ranks, 0.0)[name]
            assert one == other or (math.isnan(one) and math.isnan(other)), name


@given(outcomes(), st.sampled_from([0.0, -1.7e308, 1e-320]))
def test_constant_scores_give_half(outcome: Outcome, score: float) -> None:
    never = with_scores(outcome, np.full(len(outcome), score))
    thresholds, crr, af1 = metrics.af1_crr_curve(never)
    assert thresholds.tolist() == [score, math.inf]
    assert crr.tolist() == [0.0, 1.0]
    assert af1.tolist() == [metrics.af1(never, score), 0.0]
    assert metrics.auc_af1_crr(never) == pytest.approx(metrics.af1(never, score) / 2, abs=1e-12)
    assert metrics.oscr(never) == pytest.approx(metrics.closed_set_accuracy(never) / 2, abs=1e-12)
    assert metrics.auroc(never) == 0.5
    assert metrics.fpr95_id(never) == metrics.fpr95_ood(never) == 1.0
    assert math.isnan(metrics.ccr_at_fpr(never, 0.1))  # the only threshold that accepts anything accepts all
    assert metrics.ccr_at_fpr(never, 1.0) == metrics.closed_set_accuracy(never)


def test_a_perfect_method_reaches_one_everywhere() -> None:
    outcome = simulated()
    perfect = Outcome(
        outcome.truth,
        outcome.unseen_group,
        np.maximum(outcome.truth, 0),
        np.where(outcome.truth >= 0, 1.7e308, -1.7e308),  # the difference of the extremes is infinite
        outcome.n_classes,
        outcome.n_unseen,
    )
    values = all_metrics(perfect, 0.0)
    assert values.pop("fpr95_id") == values.pop("fpr95_ood") == 0.0
    # Accepting all, the unseen images are false positives of somebody, so even the perfect curve starts below aF1 = 1.
    closed = metrics.af1(perfect, -math.inf)
    assert values.pop("auc_af1_crr") == pytest.approx((closed + 1) / 2, abs=1e-12)
    assert values.pop("auc_af1_crr_pooled") == pytest.approx((closed + 1) / 2, abs=1e-12)
    assert set(values.values()) == {1.0}


def test_ccr_at_fpr_by_hand() -> None:
    # scores 5 4 3 2 1 0; seen at 5, 3 (wrong candidate), 1; unseen at 4, 2, 0
    outcome = Outcome(
        np.array([0, -1, 0, -1, 1, -1]),
        np.array([-1, 0, -1, 0, -1, 0]),
        np.array([0, 0, 1, 0, 1, 0]),
        np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0]),
        2,
        1,
    )
    assert metrics.ccr_at_fpr(outcome, 0.0) == pytest.approx(1 / 3)
    assert metrics.ccr_at_fpr(outcome, 0.5) == pytest.approx(1 / 3)  # one of three unseen; the hit at 1 needs two
    assert metrics.ccr_at_fpr(outcome, 0.67) == pytest.approx(2 / 3)
    tied = with_scores(outcome, np.array([4.0, 4.0, 3.0, 2.0, 1.0, 0.0]))
    assert math.isnan(metrics.ccr_at_fpr(tied, 0.1))
    with pytest.raises(ValueError, match="false positive rate"):
        metrics.ccr_at_fpr(outcome, 1.1)


def test_the_two_conventions_of_fpr95_differ() -> None:
    # 20 seen at 1..20, 20 unseen at 0.5, 1.5, ..., 19.5
    outcome = Outcome(
        np.array([0] * 20 + [-1] * 20),
        np.array([-1] * 20 + [0] * 20),
        np.zeros(40, int),
        np.concatenate([np.arange(1.0, 21.0), np.arange(20) + 0.5]),
        1,
        1,
    )
    assert metrics.fpr95_id(outcome) == 18 / 20  # threshold 2 accepts 19 seen, and the unseen from 2.5 on
    assert metrics.fpr95_ood(outcome) == 18 / 20  # rejecting 19 unseen, up to 18.5, rejects the seen 1..18
    skewed = with_scores(outcome, np.concatenate([np.arange(1.0, 21.0), [0.5] * 18 + [30.0, 30.0]]))
    assert metrics.fpr95_id(skewed) == 2 / 20
    assert metrics.fpr95_ood(skewed) == 1.0  # 18 of 20 are too few, so all must be rejected


@pytest.fixture(scope="module")
def copied() -> dict:
    """The OSCR loop in circulation, from the bench that times it."""
    return runpy.run_path(str(Path(__file__).parents[2] / "bench" / "oscr.py"))


@given(seed=st.integers(0, 10_000))
def test_the_copied_oscr_is_half_a_step_off_without_ties(copied: dict, seed: int) -> None:
    outcome = simulated(seed=seed)
    seen = outcome.truth >= 0
    parts = (outcome.known_score[seen], outcome.known_score[~seen], (outcome.truth == outcome.candidate)[seen])
    assert metrics.oscr(outcome) == pytest.approx(
        copied["copied_oscr"](*parts) + copied["half_steps"](*parts), abs=1e-12
    )


def test_the_copied_oscr_is_zero_on_constant_scores_and_ours_half_the_accuracy(copied: dict) -> None:
    hit = np.array([True, True, True, False])
    assert copied["copied_oscr"](np.zeros(4), np.zeros(4), hit) == 0.0
    outcome = Outcome(
        np.array([0, 0, 0, 1, -1, -1, -1, -1]),
        np.array([-1] * 4 + [0] * 4),
        np.zeros(8, int),
        np.zeros(8),
        2,
        1,
    )
    assert metrics.oscr(outcome) == 0.75 / 2


def test_curves_need_unseen_images() -> None:
    closed = simulated(unseen_sizes=())
    for function in (metrics.auc_af1_crr, metrics.oscr, metrics.auroc, metrics.fpr95_id, metrics.af1_crr_curve):
        with pytest.raises(RunError, match="unseen"):
            function(closed)
