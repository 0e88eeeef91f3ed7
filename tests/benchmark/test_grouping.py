"""The number of groups comes from the embeddings alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from osbench.benchmark.grouping import LEAST, group, main_axes, purity

pytestmark = pytest.mark.numeric


def drawn(counts: tuple[int, ...], apart: float, seed: int = 0, dims: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians of unlike covariance, ``apart`` standard deviations from each other, and who is from which."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(counts)), counts)
    rows = rng.normal(size=(len(truth), dims)) * rng.uniform(0.5, 1, (len(counts), dims))[truth]
    rows[:, 0] += apart * (truth % 2)
    rows[:, 1] += apart * (truth // 2)
    return rows, truth


@pytest.mark.parametrize("counts", [(150,), (120, 60), (80, 80, 80), (15, 15)])
def test_as_many_groups_as_there_are(counts: tuple[int, ...]) -> None:
    rows, truth = drawn(counts, 9)
    found = group(rows)
    assert found.count == len(counts)
    assert purity(found.labels, truth) > 0.95
    sizes = np.bincount(found.labels)
    assert (np.diff(sizes) <= 0).all(), "the largest first"
    if len(counts) == 1:
        assert np.isnan(found.silhouettes).all()
        assert np.isnan(found.silhouette)
    else:
        axes = main_axes(rows, min(8, len(rows) // 10))
        assert found.silhouette == pytest.approx(silhouette_score(axes, found.labels))


def test_the_most_typical_lie_in_the_middle() -> None:
    rows, _ = drawn((200,), 0)
    rows[0] = 12
    assert group(rows).typical.argmin() == 0


def test_nothing_depends_on_chance_or_scale() -> None:
    rows, _ = drawn((60, 40), 6)
    before = np.random.get_state(legacy=False)["state"]["key"].tobytes()
    first, second = group(rows), group(rows * 1000)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert np.random.get_state(legacy=False)["state"]["key"].tobytes() == before


def test_few_and_equal_embeddings() -> None:
    assert group(np.ones((LEAST, 5))).count == 1
    assert group(np.random.default_rng(0).normal(size=(LEAST, 3))).count == 1


def test_purity() -> None:
    assert purity(np.array([0, 0, 0, 1, 1]), np.array(["a", "a", "b", "b", "b"])) == pytest.approx(0.8)
    assert purity(np.zeros(4, int), np.array([1, 1, 2, 3])) == 0.5
