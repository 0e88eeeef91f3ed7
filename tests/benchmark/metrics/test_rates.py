"""Rates at a threshold, against the literal equations and against the arithmetic of the paper's Table 3."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark import metrics
from osbench.benchmark.metrics import Outcome
from osbench.core.errors import RunError

from . import reference
from .reference import outcomes, simulated

# Table 3: F1 of ProGAN, Projected-GAN, StyleGAN2, StyleGAN3, Taming Transformers; aF1; CRR of StyleGAN, SD; CRR
TABLE_3 = {
    "RepMix": ((0.669, 0.827, 0.762, 0.839, 0.860), 0.791, (0.0, 0.0), 0.0),
    "DCT-CNN": ((0.673, 0.929, 0.687, 0.609, 0.851), 0.750, (0.0, 0.0), 0.0),
    "ResNet-50": ((0.572, 0.995, 0.995, 0.797, 0.976), 0.867, (0.0, 0.0), 0.0),
    "Proposed": ((0.744, 0.974, 0.875, 0.969, 0.940), 0.900, (0.484, 0.806), 0.645),
    "FSM": ((0.000, 0.032, 0.000, 0.385, 0.585), 0.200, (0.910, 0.363), 0.637),
    "EXIF-Net": ((0.374, 0.245, 0.124, 0.187, 0.163), 0.219, (0.525, 0.741), 0.633),
}
UNSEEN_SIZES = (4000, 1000)  # test images of StyleGAN and Stable Diffusion, from Table 1
SEEN_SIZE = 10_000


def table_3_outcome(f1: tuple[float, ...], crr: tuple[float, ...]) -> Outcome:
    """Images with the printed F1 and CRR: score 1 is accepted, score 0 is not.

    Every unseen image that is not rejected is a false positive of the class with the lowest F1; other errors are
    rejected seen images. With p false positives, F1 = 2 tp / (tp + p + size) gives tp.
    """
    rejected = [round(rate * size) for rate, size in zip(crr, UNSEEN_SIZES, strict=True)]
    weakest = int(np.argmin(f1))
    truth, group, candidate, score = [], [], [], []
    for j, value in enumerate(f1):
        false_positives = sum(UNSEEN_SIZES) - sum(rejected) if j == weakest else 0
        tp = round(value * (SEEN_SIZE + false_positives) / (2 - value))
        truth += [j] * SEEN_SIZE
        group += [-1] * SEEN_SIZE
        candidate += [j] * SEEN_SIZE
        score += [1.0] * tp + [0.0] * (SEEN_SIZE - tp)
    for u, size in enumerate(UNSEEN_SIZES):
        truth += [-1] * size
        group += [u] * size
        candidate += [weakest] * size
        score += [0.0] * rejected[u] + [1.0] * (size - rejected[u])
    return Outcome(np.array(truth), np.array(group), np.array(candidate), np.array(score), 5, 2)


@pytest.mark.parametrize("method", TABLE_3)
def test_table_3(method: str) -> None:
    f1, af1, crr, mean_crr = TABLE_3[method]
    outcome = table_3_outcome(f1, crr)
    assert metrics.f1_per_class(outcome, 1.0) == pytest.approx(f1, abs=1e-4)
    assert metrics.af1(outcome, 1.0) == pytest.approx(af1, abs=0.00055)
    assert metrics.crr_per_generator(outcome, 1.0) == pytest.approx(crr, abs=1e-12)
    assert metrics.crr(outcome, 1.0) == pytest.approx(mean_crr, abs=0.00051)
    assert metrics.crr_worst(outcome, 1.0) == pytest.approx(min(crr), abs=1e-12)


def test_table_3_headline_is_macro_and_pooling_turns_the_order_round() -> None:
    outcomes_3 = {name: table_3_outcome(row[0], row[2]) for name, row in TABLE_3.items()}
    assert metrics.crr(outcomes_3["Proposed"], 1.0) == pytest.approx(0.645, abs=1e-12)
    pooled = {name: round(metrics.crr_pooled(o, 1.0), 3) for name, o in outcomes_3.items()}
    assert (pooled["Proposed"], pooled["FSM"], pooled["EXIF-Net"]) == (0.548, 0.801, 0.568)


@given(outcomes(), st.data())
def test_rates_are_the_literal_equations(outcome: Outcome, data: st.DataObject) -> None:
    threshold = data.draw(
        st.one_of(st.sampled_from(outcome.known_score.tolist()), st.floats(allow_nan=False)), label="threshold"
    )
    assert metrics.f1_per_class(outcome, threshold) == pytest.approx(
        [float(v) for v in reference.f1_per_class(outcome, threshold)], abs=1e-12
    )
    assert metrics.crr_per_generator(outcome, threshold) == pytest.approx(
        [float(v) for v in reference.crr_per_generator(outcome, threshold)], abs=1e-12
    )
    known = metrics.af1_known(outcome, threshold)
    assert known == pytest.approx(float(reference.af1(outcome, threshold, unseen=False)), abs=1e-12)
    assert metrics.af1(outcome, threshold) <= known + 1e-12


@given(outcomes(), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_crr_rises_with_the_threshold(outcome: Outcome, one: float, other: float) -> None:
    low, high = sorted([one, other])
    for rate in (metrics.crr, metrics.crr_pooled, metrics.crr_worst):
        assert rate(outcome, low) <= rate(outcome, high)


@given(outcomes())
def test_ends_of_the_threshold_range(outcome: Outcome) -> None:
    assert metrics.crr(outcome, -math.inf) == 0.0
    assert metrics.crr(outcome, math.inf) == 1.0
    assert metrics.af1(outcome, math.inf) == 0.0  # nothing predicted: 2 TP / (2 TP + FP + FN) = 0 / FN
    assert metrics.af1_known(outcome, -math.inf) == metrics.macro_f1(outcome)
    lowest = outcome.known_score.min()
    assert metrics.af1(outcome, lowest) == metrics.af1(outcome, -math.inf)


def test_a_class_that_is_never_predicted_has_f1_zero() -> None:
    outcome = Outcome(np.array([0, 1, -1]), np.array([-1, -1, 0]), np.array([0, 0, 0]), np.array([1.0, 1.0, 0.0]), 2, 1)
    assert metrics.f1_per_class(outcome, 0.5).tolist() == [2 / 3, 0.0]


def test_closed_set_rates_agree_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    outcome = simulated()
    seen = outcome.truth >= 0
    truth, candidate = outcome.truth[seen], outcome.candidate[seen]
    assert metrics.closed_set_accuracy(outcome) == pytest.approx(accuracy_score(truth, candidate), abs=1e-12)
    assert metrics.macro_f1(outcome) == pytest.approx(f1_score(truth, candidate, average="macro"), abs=1e-12)


def test_a_nan_threshold_and_missing_unseen_images_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        metrics.af1(simulated(), math.nan)
    with pytest.raises(RunError, match="unseen"):
        metrics.crr(simulated(unseen_sizes=()), 0.0)
