import numpy as np
import pytest

from osbench.baselines.rejection import feature_space
from osbench.baselines.rejection.feature_space import blocks, class_means, compact
from osbench.core.errors import RunError

pytestmark = pytest.mark.numeric


def test_short_features_stay_as_they_are():
    features = np.random.default_rng(0).normal(size=(3, 2048)).astype(np.float32)
    np.testing.assert_array_equal(compact(features), features)


def test_long_features_keep_their_distances_nearly():
    rng = np.random.default_rng(1)
    features = np.abs(rng.normal(size=(20, 9001))) * rng.uniform(0, 2, 9001)
    short = compact(features)
    assert short.shape == (20, 2048)
    before = np.linalg.norm(features[:, None] - features, axis=2)
    after = np.linalg.norm(short[:, None] - short, axis=2)
    off = after[before > 0] / before[before > 0] - 1
    assert np.abs(off).max() < 0.1
    assert abs(off.mean()) < 0.02


def test_the_sketch_is_linear_and_fixed_for_ever():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 4, 5000))
    np.testing.assert_allclose(compact(a - 3 * b), compact(a) - 3 * compact(b), atol=1e-9)
    sketch = compact(np.eye(5000))
    assert (np.abs(sketch).sum(1) == 1).all()
    assert set(np.abs(sketch).sum(0)) == {2.0, 3.0}, "every sum takes nearly equally many dimensions"
    assert abs(sketch.sum()) < 300, "signs are balanced"
    # Saved rules hold numbers in these coordinates, so the coordinates may never change.
    assert [int(np.argmax(np.abs(row)) * row[np.abs(row).argmax()]) for row in sketch[:3]] == FIRST_COORDINATES


FIRST_COORDINATES = [304, -792, -922]


def test_the_sketch_does_not_depend_on_blocks_and_keeps_the_precision(monkeypatch):
    features = np.random.default_rng(3).normal(size=(50, 3001)).astype(np.float32)
    whole, exact = compact(features), compact(features.astype(np.float64))
    monkeypatch.setattr(feature_space, "BLOCK_BYTES", 7 * 8 * 3001)
    np.testing.assert_array_equal(compact(features), whole)
    assert (whole.dtype, exact.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(whole, exact.astype(np.float32))


def test_blocks_are_the_rows_less_their_centres(monkeypatch):
    monkeypatch.setattr(feature_space, "BLOCK_BYTES", 4 * 8 * 3)
    rng = np.random.default_rng(4)
    features, centres, labels = rng.normal(size=(10, 3)).astype(np.float32), rng.normal(size=(2, 3)), np.arange(10) % 2
    for arguments, expected in (
        ((), features.astype(np.float64)),
        ((centres[0],), features - centres[0]),
        ((centres, labels), features - centres[labels]),
    ):
        out = np.zeros((10, 3))
        for rows, block in blocks(features, *arguments):
            assert len(block) <= 4
            assert block.dtype == np.float64
            out[rows] = block
        np.testing.assert_array_equal(out, expected)


def test_class_means(monkeypatch):
    monkeypatch.setattr(feature_space, "BLOCK_BYTES", 2 * 8 * 2)
    means = class_means(np.array([[0.0, 2], [4, 2], [1, 1]]), np.array([0, 0, 1]), 2)
    np.testing.assert_array_equal(means, [[2, 2], [1, 1]])
    with pytest.raises(RunError, match="class 1 has no training image"):
        class_means(np.zeros((2, 2)), np.array([0, 2]), 3)
