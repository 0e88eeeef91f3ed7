import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from osbench.baselines.rejection import Activations, build_rule

pytestmark = pytest.mark.numeric


def activations(seed: int, n: int, d: int, k: int) -> Activations:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    features = 2.0 * rng.normal(size=(k, d))[labels] + rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    return Activations(features.astype(np.float32), rng.normal(size=(n, k)).astype(np.float32), labels)


def literal(train: Activations, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class distances (N, K) and the background distance (N,), squared, with inverses written out."""
    x, y = train.features.astype(float), train.labels
    means = np.stack([x[y == k].mean(0) for k in range(y.max() + 1)])
    tied, _ = ledoit_wolf(np.concatenate([x[y == k] - means[k] for k in range(len(means))]), assume_centered=True)
    between = sum((y == k).mean() * np.outer(m - x.mean(0), m - x.mean(0)) for k, m in enumerate(means))
    to_classes = [[(f - m) @ np.linalg.inv(tied) @ (f - m) for m in means] for f in query.astype(float)]
    background = np.linalg.inv(tied + between)
    return np.array(to_classes), np.array([(f - x.mean(0)) @ background @ (f - x.mean(0)) for f in query.astype(float)])


@pytest.mark.parametrize(("n", "d", "k"), [(120, 8, 3), (30, 60, 2), (7, 5, 5)])
def test_both_rules_literally(n, d, k):
    train, query = activations(0, n, d, k), activations(1, 25, d, k).features
    to_classes, background = literal(train, query)
    expected = {
        "mahalanobis": -to_classes.min(1),
        "relative-mahalanobis": -(to_classes - background[:, None]).min(1),
    }
    for name, score in expected.items():
        rule = build_rule(name)
        rule.fit(train, train, None)
        np.testing.assert_allclose(
            rule.known_score(query, np.zeros((25, k))), score, rtol=1e-4, atol=1e-4 * abs(score).max()
        )


def test_without_any_spread_it_is_the_euclidean_distance():
    """One image per class: no covariance to estimate, so the distance to the nearest image remains."""
    features = np.array([[0.0, 0, 0], [10, 0, 0]], np.float32)
    train = Activations(features, np.eye(2, dtype=np.float32), np.array([0, 1]))
    rule = build_rule("mahalanobis")
    rule.fit(train, train, None)
    query = np.array([[3.0, 4, 0], [10, 0, 1]], np.float32)
    np.testing.assert_allclose(rule.known_score(query, np.zeros((2, 2))), [-25, -1], rtol=1e-6)


def test_directions_that_separate_nothing_cancel_in_the_relative_distance():
    train = activations(2, 400, 6, 2)
    train.features[:, 5] = np.random.default_rng(3).normal(size=400)
    train.features[:, 5] -= np.array([train.features[train.labels == k, 5].mean() for k in (0, 1)])[train.labels]
    rule = build_rule("relative-mahalanobis")
    rule.fit(train, train, None)
    white = rule.arrays["directions"]
    query = train.features[:10]
    free = np.linalg.svd(white)[2][2:]  # orthogonal to every class direction
    moved = query + 50 * free[0]
    np.testing.assert_allclose(
        rule.known_score(moved, np.zeros((10, 2))), rule.known_score(query, np.zeros((10, 2))), atol=1e-3
    )
