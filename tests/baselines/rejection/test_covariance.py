import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf

from osbench.baselines.rejection import feature_space
from osbench.baselines.rejection.covariance import second_moment, shrunk_covariance, whitening

pytestmark = pytest.mark.numeric


@given(seed=st.integers(0, 10_000), n=st.integers(3, 60), d=st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_agrees_with_scikit_learn(seed, n, d):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    expected, shrinkage = ledoit_wolf(rows, assume_centered=True)
    if shrinkage > 1e-6:
        np.testing.assert_allclose(shrunk_covariance(rows), expected, rtol=1e-8, atol=1e-10 * np.trace(expected))


@pytest.mark.parametrize(
    "rows",
    [np.zeros((5, 3)), np.eye(1, 6) * [[1.0], [-1.0]], np.ones((1, 4)), np.ones((7, 1)), np.full((4, 30), 2.0)],
    ids=["all zero", "rank one without noise", "one row", "one dimension", "constant, more dimensions than rows"],
)
def test_always_positive_definite(rows):
    covariance = shrunk_covariance(rows)
    assert np.isfinite(covariance).all()
    white = whitening(covariance)
    np.testing.assert_allclose(white @ covariance @ white.T, np.eye(rows.shape[1]), atol=1e-6)


def test_blocks_do_not_change_anything(monkeypatch):
    rng = np.random.default_rng(0)
    rows, centres, labels = rng.normal(size=(900, 3)).astype(np.float32), rng.normal(size=(2, 3)), np.arange(900) % 2
    centred = rows - centres[labels]
    whole = shrunk_covariance(centred)
    monkeypatch.setattr(feature_space, "BLOCK_BYTES", 100 * 8 * 3)
    np.testing.assert_allclose(second_moment(rows), rows.astype(float).T @ rows.astype(float) / 900, rtol=1e-10)
    np.testing.assert_allclose(shrunk_covariance(rows, centres, labels), whole, rtol=1e-10)
