import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from osbench.baselines.rejection import build_rule

pytestmark = pytest.mark.numeric

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(2, 6)), elements=st.floats(-8, 8, width=32))


@given(LOGITS)
def test_never_gives_everyone_the_same_score(logits):
    assert len(set(build_rule("never").known_score(np.zeros((len(logits), 2)), logits))) == 1


@given(LOGITS)
def test_msp_is_the_logarithm_of_the_largest_probability(logits):
    z = logits.astype(np.float64)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(np.exp(build_rule("msp").known_score(np.zeros((len(z), 2)), logits)), p.max(1))


def test_msp_keeps_the_order_of_very_sure_answers():
    scores = build_rule("msp").known_score(np.zeros((2, 1)), np.array([[60.0, 0, 0], [61.0, 0, 0]]))
    assert scores[0] < scores[1] < 0


def test_msp_of_two_equal_logits_is_a_half():
    score = build_rule("msp").known_score(np.zeros((1, 1)), np.array([[3.0, 3.0]]))
    assert np.exp(score[0]) == pytest.approx(0.5)


def known(name: str, logits) -> np.ndarray:
    return build_rule(name).known_score(np.zeros((len(logits), 1)), np.asarray(logits, np.float32))


@given(LOGITS)
def test_energy_and_max_logit_are_what_they_say(logits):
    for z, energy, largest in zip(
        logits.astype(float), known("energy", logits), known("max-logit", logits), strict=True
    ):
        assert energy == pytest.approx(np.log(sum(np.exp(v) for v in z)), abs=1e-9)
        assert largest == max(z)
        assert largest <= energy <= largest + np.log(len(z)) + 1e-9


def test_energy_does_not_overflow():
    assert known("energy", [[900.0, 900.0]])[0] == pytest.approx(900 + np.log(2))


@given(LOGITS)
def test_entropy_literally(logits):
    for z, score in zip(logits.astype(float), known("entropy", logits), strict=True):
        p = np.exp(z) / np.exp(z).sum()
        rest = [sum(p[j] for j in range(len(p)) if j != k) for k in range(len(p))]  # 1 - p without cancelling
        assert score == pytest.approx(-sum((p[k] ** 0.1) * (rest[k] ** 0.1) for k in range(len(p))), rel=1e-6)


def test_entropy_keeps_the_order_of_very_sure_answers():
    sure, surer, unsure = known("entropy", [[60.0, 0, 0], [61.0, 0, 0], [1.0, 1, 1]])
    assert unsure < sure < surer < 0


def test_entropy_looks_at_the_hundred_largest_probabilities():
    logits = np.random.default_rng(0).normal(size=(1, 150))
    p = np.sort(np.exp(logits[0]) / np.exp(logits[0]).sum())[-100:]
    assert known("entropy", logits)[0] == pytest.approx(-((p * (1 - p)) ** 0.1).sum(), rel=1e-5)
