"""The same scores from pytorch-ood, where it can be imported (it needs torchvision, which the project does not)."""

import numpy as np
import pytest
import torch

from osbench.baselines.rejection import Activations, LinearHead, build_rule, knn, mahalanobis
from osbench.baselines.rejection.covariance import second_moment

pytestmark = pytest.mark.numeric

detector = pytest.importorskip("pytorch_ood.detector", exc_type=ImportError)

K, D = 4, 10


def activations(seed: int, n: int) -> tuple[Activations, LinearHead]:
    rng = np.random.default_rng(7)
    centres, head = rng.normal(0, 2, (K, D)), LinearHead(np.zeros((K, D), np.float32), rng.normal(size=K).astype("f4"))
    head.weight[:] = centres
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % K
    features = (centres[labels] + rng.normal(0, np.geomspace(0.3, 3, D), (n, D))).astype(np.float32)
    return Activations(features, features @ head.weight.T + head.bias, labels), head


TRAIN, HEAD = activations(0, 4000)
TEST, _ = activations(1, 300)


def ours(name: str) -> np.ndarray:
    rule = build_rule(name)
    rule.fit(TRAIN, TRAIN, HEAD)
    return rule.known_score(TEST.features, TEST.logits)


def tensors(a: Activations):
    return torch.from_numpy(a.features), torch.from_numpy(a.logits), torch.from_numpy(a.labels)


@pytest.mark.parametrize(("name", "theirs"), [("max-logit", "MaxLogit"), ("energy", "EnergyBased")])
def test_logit_scores_are_equal(name, theirs):
    expected = -getattr(detector, theirs)(None).predict_logits(torch.from_numpy(TEST.logits)).numpy()
    np.testing.assert_allclose(ours(name), expected, rtol=1e-5)


def test_generalised_entropy_is_equal_up_to_its_mean_and_its_clamp():
    mild = Activations(TEST.features, TEST.logits / 20, TEST.labels)  # no probability near their clamp at 1e-7
    expected = -K * detector.GEN(None).predict_logits(torch.from_numpy(mild.logits)).numpy()
    np.testing.assert_allclose(build_rule("entropy").known_score(mild.features, mild.logits), expected, rtol=1e-4)


def test_nearest_neighbour_distances_are_equal(monkeypatch):
    monkeypatch.setattr(knn, "NEIGHBOURS", 125)  # of 10,000: the 50th of 4000
    features, _, labels = tensors(TRAIN)
    theirs = detector.KNN(None, k=50).fit_features(features, labels).predict_features(tensors(TEST)[0])
    np.testing.assert_allclose(ours("knn"), -np.asarray(theirs), rtol=1e-4)


def test_vim_scores_are_equal():
    features, _, labels = tensors(TRAIN)
    theirs = detector.ViM(None, D // 2, torch.from_numpy(HEAD.weight), torch.from_numpy(HEAD.bias))
    expected = -theirs.fit_features(features, labels).predict_features(tensors(TEST)[0]).numpy()
    np.testing.assert_allclose(ours("vim"), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "theirs", "factor"), [("mahalanobis", "Mahalanobis", 2), ("relative-mahalanobis", "RMD", 1)]
)
def test_mahalanobis_distances_are_equal_without_shrinkage(name, theirs, factor, monkeypatch):
    """They do not shrink; and they sum the scatter that we average, hence a factor."""
    monkeypatch.setattr(mahalanobis, "shrunk_covariance", second_moment)
    features, _, labels = tensors(TRAIN)
    expected = (
        -getattr(detector, theirs)(None).fit_features(features, labels).predict_features(tensors(TEST)[0]).numpy()
    )
    np.testing.assert_allclose(ours(name), factor * len(TRAIN.labels) * expected, rtol=1e-3, atol=1e-2)


def test_openmax_is_equal():
    correct = TRAIN.logits.argmax(1) == TRAIN.labels  # they leave that choice to the caller
    theirs = detector.openmax.numpy.OpenMax(tailsize=20, alpha=3)
    theirs.fit(TRAIN.logits[correct].astype(float), TRAIN.labels[correct])
    p = theirs.predict(TEST.logits.astype(float))
    np.testing.assert_allclose(ours("openmax"), np.log(p[:, 1:].sum(1)) - np.log(p[:, 0]), rtol=1e-2, atol=1e-2)
