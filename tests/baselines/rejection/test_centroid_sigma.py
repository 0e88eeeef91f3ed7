import numpy as np
import pytest

from osbench.baselines.rejection import Activations, build_rule
from osbench.baselines.rejection.centroid_sigma import distances, references
from osbench.core.errors import RunError

pytestmark = pytest.mark.numeric


def test_sigma_divides_by_n_minus_one():
    """Eq. 7 by hand: two points at distance 2 from their mean have sigma = sqrt((4 + 4) / 1)."""
    h = np.array([[0.0, 0.0], [4.0, 0.0], [1.0, 1.0], [1.0, 3.0], [1.0, 5.0]])
    centroids, sigmas = references(h, np.array([0, 0, 1, 1, 1]), 2)
    np.testing.assert_allclose(centroids, [[2, 0], [1, 3]])
    np.testing.assert_allclose(sigmas, [np.sqrt(8.0), np.sqrt((4 + 0 + 4) / 2)])


def test_one_class_alone_agrees_with_the_sample_variance():
    h = np.random.default_rng(0).normal(size=(50, 3))
    _, sigmas = references(h, np.zeros(50, int), 1)
    assert sigmas[0] ** 2 == pytest.approx(np.var(h, axis=0, ddof=1).sum())


def test_distances_are_the_norms():
    rng = np.random.default_rng(1)
    h, r = rng.normal(size=(7, 5)), rng.normal(size=(3, 5))
    expected = [[np.linalg.norm(a - b) for b in r] for a in h]
    np.testing.assert_allclose(distances(h.astype(np.float32), r), expected, rtol=1e-6)


def test_a_class_of_one_image_has_the_spread_of_the_others():
    h = np.array([[0.0], [2.0], [5.0], [1.0], [5.0]])
    centroids, sigmas = references(h, np.array([0, 0, 1, 2, 2]), 3)
    assert centroids[:, 0].tolist() == [1.0, 5.0, 3.0]
    np.testing.assert_allclose(sigmas**2, [2.0, (2.0 + 8.0) / 2, 8.0])
    assert references(np.array([[0.0], [3.0]]), np.array([0, 1]), 2)[1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("embeddings", "message"), [([[0.0], [1.0]], "no training image"), ([[0.0], [1.0], [2.0], [2.0]], "coincide")]
)
def test_classes_without_a_spread_are_refused(embeddings, message):
    labels = np.array([0, 0, 1, 1])[: len(embeddings)]
    with pytest.raises(RunError, match=message):
        references(np.array(embeddings), labels, 2)


def test_the_candidate_stays_the_arg_max_of_the_logits():
    """The image lies at class 0's centroid, but the classifier says 1: the score is the distance to class 1."""
    features = np.array([[0.0, 1], [0, -1], [10, 1], [10, -1]], np.float32)
    logits = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    rule = build_rule("centroid-sigma")
    train = Activations(features, logits, np.array([0, 0, 1, 1]))
    rule.fit(train, train, None)
    query, says_one = np.zeros((1, 2), np.float32), np.array([[0.0, 1.0]], np.float32)
    assert rule.candidate(says_one).tolist() == [1]
    assert rule.known_score(query, says_one)[0] == pytest.approx(-10 / np.sqrt(2.0))
    again = build_rule("centroid-sigma", rule.arrays)
    assert again.known_score(query, says_one)[0] == rule.known_score(query, says_one)[0]
