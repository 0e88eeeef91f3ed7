from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from osbench.generation.efficientnet_lite0 import EfficientNetLite0
from osbench.generation.training.frechet import features, frechet_distance

pytestmark = pytest.mark.numeric


def gaussian(mean: np.ndarray, covariance: np.ndarray, n: int = 400, seed: int = 0) -> np.ndarray:
    """A sample whose mean and covariance are exactly the given ones."""
    raw = np.random.default_rng(seed).normal(size=(n, len(mean)))
    raw -= raw.mean(0)
    raw = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return mean + raw @ np.linalg.cholesky(covariance).T


def random_covariance(d: int, seed: int) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(d, d))
    return a @ a.T + 0.5 * np.eye(d)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_gaussians_with_known_answer(d: int, seed: int) -> None:
    """All axes kept, the projection is a rotation: the closed formula of Dowson and Landau (1982) holds."""
    rng = np.random.default_rng(seed)
    ma, mb, ca, cb = rng.normal(size=d), rng.normal(size=d), random_covariance(d, seed), random_covariance(d, seed + 1)
    a, b = gaussian(ma, ca, seed=seed), gaussian(mb, cb, seed=seed + 1)
    known = ((ma - mb) ** 2).sum() + np.trace(ca + cb - 2 * np.real(np.asarray(linalg.sqrtm(ca @ cb))))
    assert frechet_distance(a, b) == pytest.approx(known, rel=1e-6, abs=1e-6)


def test_diagonal_case_by_hand() -> None:
    a, b = gaussian(np.array([1.0, 0.0]), np.diag([4.0, 9.0])), gaussian(np.array([0.0, 2.0]), np.diag([1.0, 16.0]))
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 4) ** 2)


def test_only_the_main_axes_of_the_reference_count() -> None:
    b = gaussian(np.zeros(3), np.diag([100.0, 25.0, 0.01]))
    a = b + np.array([0.0, 0.0, 50.0])
    assert frechet_distance(a, b, components=2) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, b, components=3) == pytest.approx(2500)


def test_features_do_not_depend_on_batches() -> None:
    torch.manual_seed(0)
    model = EfficientNetLite0().eval()
    pixels = np.random.default_rng(0).integers(0, 256, (34, 16, 16, 3), dtype=np.uint8)
    rows = features(model, pixels, side=32)
    assert rows.shape == (34, 1280)
    assert rows.dtype == np.float64
    np.testing.assert_allclose(features(model, pixels[32:], side=32), rows[32:], rtol=1e-4, atol=1e-5)
