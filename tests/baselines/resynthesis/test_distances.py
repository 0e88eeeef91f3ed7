"""Distances against scipy, which has them pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from osbench.baselines.resynthesis.distances import DISTANCES, distances

SCIPY = {"manhattan": "cityblock"}


@pytest.mark.parametrize("name", DISTANCES)
def test_all_pairs(name: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)), rng.normal(size=(3, 7)).astype(np.float32)
    np.testing.assert_allclose(distances(name, a, b), cdist(a, b, SCIPY.get(name, name)), atol=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_each_image_with_its_own_draws(name: str) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 1, 6)), rng.normal(size=(4, 2, 6))
    expected = np.stack([cdist(x, y, SCIPY.get(name, name)) for x, y in zip(a, b, strict=True)])
    np.testing.assert_allclose(distances(name, a, b), expected, atol=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_row_without_direction_is_no_error(name: str) -> None:
    assert np.isfinite(distances(name, np.zeros((1, 3)), np.ones((1, 3)))).all()
