"""Equations 4 to 7 of paper 1 inside the method; learning, saving and resuming are in test_methods_learn.py."""

import numpy as np
import pytest

from osbench.baselines.methods.proposed import Proposed
from osbench.baselines.networks import network_names
from osbench.baselines.rejection import Activations
from osbench.core.errors import UsageError

pytestmark = pytest.mark.numeric


def method_with(centroids, sigmas, **options) -> Proposed:
    method = Proposed(**options)
    method.centroids, method.sigmas = np.array(centroids, float), np.array(sigmas, float)
    return method


def test_candidate_by_raw_distance_score_by_normalised_distance():
    """Class 0 is nearer (2 < 3), but in units of its own sigma class 1 is (1.5 < 2): eq. 5 says 0, eq. 6 scores 0."""
    query, logits = np.array([[2.0]]), np.zeros((1, 2))
    scores = method_with([[0.0], [5.0]], [1.0, 2.0]).answer(query, logits)["native"]
    assert scores.candidate.tolist() == [0]
    assert scores.known_score.tolist() == [-2.0]
    np.testing.assert_allclose(scores.class_scores, [[-2.0, -3.0]])

    scores = method_with([[0.0], [5.0]], [1.0, 2.0], assign="normalised").answer(query, logits)["native"]
    assert scores.candidate.tolist() == [1]
    assert scores.known_score.tolist() == [-1.5]


def test_references_come_from_all_training_embeddings():
    method = Proposed()
    method.class_names = ("a", "b")
    h = np.array([[0.0], [2.0], [10.0], [14.0]], np.float32)
    train = Activations(h, np.zeros((4, 2)), np.array([0, 0, 1, 1]))
    method.learn_rejection(train, train)
    np.testing.assert_allclose(method.centroids, [[1.0], [12.0]])
    np.testing.assert_allclose(method.sigmas, [np.sqrt(2.0), np.sqrt(8.0)])


def test_wrong_options_are_usage_errors():
    with pytest.raises(UsageError, match="preset"):
        Proposed(preset="papr-literal")
    with pytest.raises(UsageError, match="assign"):
        Proposed(assign="both")
    with pytest.raises(UsageError, match="option"):
        Proposed(presets="official")


@pytest.mark.parametrize("network", network_names())
def test_every_network_takes_part(network):
    method = Proposed(network=network)
    model = method.build(3, 64)
    assert model.head.proxies.shape == (3, model.network.embedding_dim)
    groups = method_groups(method, model)
    assert groups[1]["lr"] == pytest.approx(100 * groups[0]["lr"])
    assert groups[1]["weight_decay"] == 0
    in_optimizer = sum(p.numel() for g in groups for p in g["params"])
    assert in_optimizer == sum(p.numel() for p in model.parameters()), "every parameter is trained"


def method_groups(method, model):
    method.model = model
    return method.optimizer().param_groups
