"""What a few images tell, completed by what is usual."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.few_images import PRIOR_IMAGES, reference_of, shared_variance, usual_of_few
from osbench.baselines.rejection.centroid_sigma import references


def test_one_image_has_the_spread_of_the_others() -> None:
    centroid, sigma = reference_of(np.array([[3.0, 4.0]]), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(centroid, [3, 4])
    assert sigma == pytest.approx(np.sqrt(2.5 * 2))
    mean, deviation = usual_of_few(np.zeros(0), np.array([2.0, 4.0]), np.array([3.0, 3.0]))
    assert (mean, deviation) == pytest.approx((3.0, 3.0))


def test_many_images_have_their_own() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(5, 3, (20_000, 4))
    centroid, sigma = reference_of(rows, np.array([100.0]))
    centroids, sigmas = references(rows, np.zeros(len(rows), int), 1)
    np.testing.assert_allclose(centroid, centroids[0])
    assert sigma == pytest.approx(sigmas[0], rel=0.5)
    values = rng.normal(7, 2, 20_000)
    mean, deviation = usual_of_few(values, np.array([0.0]), np.array([1.0]))
    assert (mean, deviation) == pytest.approx((7, 2), rel=0.03)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.floats(0.1, 10), st.floats(0, 100))
def test_a_shared_variance_lies_between_both(n: int, usual: float, own: float) -> None:
    found = shared_variance(own * (n - 1), n, usual)
    assert min(usual, own) - 1e-9 <= found <= max(usual, own) + 1e-9
    assert shared_variance(0.0, 1, usual) == pytest.approx(usual)
    assert found == pytest.approx((PRIOR_IMAGES * usual + (n - 1) * own) / (PRIOR_IMAGES + n - 1))
