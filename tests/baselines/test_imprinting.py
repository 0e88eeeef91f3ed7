"""A row of a linear layer for a class that was not trained."""

from __future__ import annotations

import numpy as np
import pytest

from osbench.baselines.imprinting import imprinted
from osbench.baselines.rejection import Activations, LinearHead, RejectionRule, build_rule

CENTRES = np.array([[4.0, 0, 0, 0], [0, 4.0, 0, 0], [0, 0, 4.0, 0]])


def drawn(centre: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Long along the last axis, which tells nothing."""
    return (centre + np.random.default_rng(seed).normal(size=(count, 4)) * [1, 1, 1, 9]).astype(np.float32)


@pytest.fixture(scope="module")
def known() -> tuple[LinearHead, np.ndarray, RejectionRule]:
    features = np.concatenate([drawn(centre, 200, k) for k, centre in enumerate(CENTRES)])
    labels = np.repeat(np.arange(3), 200)
    head = LinearHead(CENTRES.astype(np.float32), np.array([-1.0, 0.0, 1.0], np.float32))
    train = Activations(features, features @ head.weight.T + head.bias, labels)
    rule = build_rule("mahalanobis")
    rule.fit(train, train, head)
    return head, np.stack([features[labels == k].mean(0) for k in range(3)]).astype(np.float64), rule


def test_the_two_conditions_hold(known: tuple[LinearHead, np.ndarray, RejectionRule]) -> None:
    head, means, rule = known
    place = np.array([-3.0, -3, -3, 0])
    table = means @ head.weight.T + head.bias
    own: list[float] = []
    for seed in range(100):
        joined = imprinted(head, means, drawn(place, 5, 100 + seed), rule)
        assert (joined.weight.shape, joined.bias.shape) == ((4, 4), (4,))
        np.testing.assert_array_equal(joined.weight[:3], head.weight)
        others = (means @ joined.weight[3] + joined.bias[3]).mean()
        assert others == pytest.approx(table[~np.eye(3, dtype=bool)].mean(), abs=1e-3)
        own.append(float(place @ joined.weight[3] + joined.bias[3]))
    assert np.mean(own) == pytest.approx(np.diag(table).mean(), rel=0.1), "noise of few images adds nothing on average"


def test_new_images_go_to_the_new_class_and_old_ones_stay(
    known: tuple[LinearHead, np.ndarray, RejectionRule],
) -> None:
    head, means, rule = known
    joined = imprinted(head, means, drawn(np.array([-3.0, -3, -3, 0]), 10, 9), rule)

    def taken_for(centre: np.ndarray, seed: int) -> np.ndarray:
        return (drawn(centre, 300, seed) @ joined.weight.T + joined.bias).argmax(1)

    assert (taken_for(np.array([-3.0, -3, -3, 0]), 10) == 3).mean() > 0.9
    for k, centre in enumerate(CENTRES):
        assert (taken_for(centre, 20 + k) == k).mean() > 0.9
