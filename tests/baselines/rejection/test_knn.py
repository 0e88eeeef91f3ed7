import numpy as np
import pytest

from osbench.baselines.rejection import Activations, build_rule, knn

pytestmark = pytest.mark.numeric


def fitted(features: np.ndarray, labels: np.ndarray):
    train = Activations(features.astype(np.float32), np.zeros((len(labels), 2), np.float32), labels)
    rule = build_rule("knn")
    rule.fit(train, train, None)
    return rule


def test_distances_literally(monkeypatch):
    monkeypatch.setattr(knn, "BANK", 500)  # so that 120 images mean the 12th neighbour
    monkeypatch.setattr(knn, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    features, query = rng.normal(size=(120, 5)), rng.normal(size=(20, 5))
    rule = fitted(features, np.arange(120) % 2)
    expected = []
    for q in query:
        distances = [np.linalg.norm(q / np.linalg.norm(q) - f / np.linalg.norm(f)) for f in features]
        expected.append(-sorted(distances)[11])
    np.testing.assert_allclose(rule.known_score(query, np.zeros((20, 2))), expected, rtol=1e-5)


@pytest.mark.parametrize(("n", "k"), [(1, 1), (200, 1), (201, 2), (2400, 12)])
def test_k_follows_the_bank(n, k, monkeypatch):
    asked = []
    monkeypatch.setattr(knn, "_minus_kth_distance", lambda f, bank, k: asked.append(k) or np.zeros(len(f)))
    fitted(np.ones((n, 2)), np.arange(n) % 2).known_score(np.ones((1, 2)), np.zeros((1, 2)))
    assert asked == [k]


def test_the_bank_is_bounded_and_fair_to_every_class(monkeypatch):
    monkeypatch.setattr(knn, "BANK", 100)
    labels = np.array([0] * 900 + [1] * 300)
    np.random.default_rng(0).shuffle(labels)
    rule = fitted(np.stack([np.ones(1200), labels], axis=1), labels)
    of_class_one = rule.arrays["bank"][:, 1] > 0
    assert len(of_class_one) == 100
    assert of_class_one.sum() == pytest.approx(25, abs=1)


def test_very_near_neighbours_keep_their_distance():
    """1 - cosine of float32 would call everything within 3e-4 the same image."""
    angle = np.array([1e-6, 1e-5, 1e-4])
    rule = fitted(np.array([[1.0, 0.0]]), np.array([0]))
    query = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(rule.known_score(query, np.zeros((3, 2))), -angle, rtol=1e-3)


def test_zero_features_are_at_distance_one_from_every_direction():
    rule = fitted(np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([0, 1]))
    assert rule.known_score(np.zeros((1, 2)), np.zeros((1, 2)))[0] == pytest.approx(-1)
