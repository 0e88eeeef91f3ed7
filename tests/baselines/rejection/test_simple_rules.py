import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from osbench.baselines.rejection import build_rule

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
