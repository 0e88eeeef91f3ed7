import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from osbench.baselines.rejection import Activations, build_rule
from osbench.baselines.rejection.conformal import p_values

pytestmark = pytest.mark.numeric

SCORES = arrays(np.float64, st.integers(1, 25), elements=st.sampled_from([-3.0, -1.5, 0.0, 0.25, 1.0, 8.0]))


@given(SCORES, SCORES)
def test_p_values_lie_within_one_rank_below_the_conformal_ones(calibration, scores):
    for score, p in zip(scores, p_values(scores, np.sort(calibration)), strict=True):
        exact = (1 + sum(c <= score for c in calibration)) / (len(calibration) + 1)
        assert exact - 1 / (len(calibration) + 1) < p < exact


@given(SCORES, st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20, unique=True))
def test_higher_scores_never_have_lower_p_values(calibration, scores):
    p = p_values(np.sort(scores), np.sort(calibration))
    assert (np.diff(p) >= 0).all()
    assert (p > 0).all()
    assert (p < 1).all()


def test_scores_between_calibration_images_are_not_tied():
    p = p_values(np.linspace(-9, 9, 50), np.array([-1.0, 0.0, 0.5, 2.0]))
    assert (np.diff(p) > 0).all()


def test_every_class_is_accepted_at_the_promised_rate():
    """Classes with very different logits: P(p < t) <= t + 1/(n + 1) for new images of each, and not much less."""
    rng = np.random.default_rng(0)
    location, scale = np.array([0.0, 30.0, -5.0]), np.array([1.0, 9.0, 0.1])

    def images(per_class: int) -> Activations:
        labels = np.repeat(np.arange(3), per_class)
        logits = np.full((len(labels), 3), -1e3)
        logits[np.arange(len(labels)), labels] = location[labels] + scale[labels] * rng.normal(size=len(labels))
        return Activations(np.zeros((len(labels), 1), np.float32), logits.astype(np.float32), labels)

    rule = build_rule("conformal")
    calibration, new = images(400), images(20_000)
    rule.fit(new, calibration, None)
    known = rule.known_score(new.features, new.logits)
    for t in (0.05, 0.3):
        for k in range(3):
            rejected = (known[new.labels == k] < np.log(t / (1 - t))).mean()
            assert abs(rejected - t) < 4 * np.sqrt(t * (1 - t) / 400)


def test_a_class_without_validation_images_borrows_those_of_all():
    train = Activations(
        np.zeros((4, 1)), np.array([[3.0, 0, 0], [4, 0, 0], [0, 5, 0], [0, 7, 0]]), np.array([0, 0, 1, 1])
    )
    rule = build_rule("conformal")
    rule.fit(train, train, None)
    assert rule.arrays["class2"].tolist() == [3, 4, 5, 7]
    assert rule.arrays["class1"].tolist() == [5, 7]
