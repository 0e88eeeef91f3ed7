"""Distances against scipy, which has them pair by pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from osbench.baselines.resynthesis.distances import DISTANCES, distances

SCIPY: Any = {"manhattan": "cityblock"}


def literal(name: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return cdist(a, b, SCIPY.get(name, name))


@pytest.mark.parametrize("name", DISTANCES)
def test_all_pairs(name: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 7)), rng.normal(size=(3, 7)).astype(np.float32)
    np.testing.assert_allclose(distances(name, a, b), literal(name, a, b), atol=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_each_image_with_its_own_draws(name: str) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 1, 6)), rng.normal(size=(4, 2, 6))
    expected = np.stack([literal(name, x, y) for x, y in zip(a, b, strict=True)])
    np.testing.assert_allclose(distances(name, a, b), expected, atol=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_row_without_direction_is_no_error(name: str) -> None:
    assert np.isfinite(distances(name, np.zeros((1, 3)), np.ones((1, 3)))).all()
