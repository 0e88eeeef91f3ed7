"""Pairs, the rule on top of similarities, and cameras that are trained on once."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines import pairwise
from osbench.baselines.methods.fsm import ForensicSimilarity
from osbench.baselines.pairwise import dissimilarity, draw_different, draw_same, interleaved
from osbench.baselines.rejection import Activations
from osbench.core.errors import RunError, UsageError

pytestmark = pytest.mark.numeric

GROUPS = st.lists(st.integers(0, 4), min_size=3, max_size=30).map(np.array)


@settings(max_examples=60, deadline=None)
@given(GROUPS, st.integers(0, 2**32 - 1))
def test_pairs_of_one_group_are_two_images(groups, seed):
    rng = np.random.default_rng(seed)
    if np.bincount(groups).max() < 2:
        with pytest.raises(RunError, match="no two training images"):
            draw_same(groups, rng, 5)
        return
    a, b = draw_same(groups, rng, 20)
    assert (groups[a] == groups[b]).all()
    assert (a != b).all()


@settings(max_examples=60, deadline=None)
@given(GROUPS, st.integers(0, 2**32 - 1))
def test_pairs_of_two_groups_differ(groups, seed):
    rng = np.random.default_rng(seed)
    if len(np.unique(groups)) < 2:
        with pytest.raises(RunError, match="same source"):
            draw_different(groups, rng, 5)
        return
    a, b = draw_different(groups, rng, 20)
    assert (groups[a] != groups[b]).all()


def test_every_group_is_drawn_alike_often():
    groups = np.repeat([0, 1], [1000, 10])
    a, _ = draw_same(groups, np.random.default_rng(0), 4000)
    assert 0.45 < (groups[a] == 1).mean() < 0.55


def test_pairs_lie_next_to_each_other():
    assert interleaved(np.array([1, 2]), np.array([3, 4])).tolist() == [1, 3, 2, 4]


def test_similar_pairs_keep_their_order_where_the_probability_rounds_to_one():
    d = dissimilarity(np.array([40.0, 50.0], np.float32))
    assert 0 < d[1] < d[0]


def test_the_rule_is_paper_1s_on_one_minus_similarity():
    """d = (.2, .25): class 0 is nearer (eq. 5); known_score is -.2 / sigma_0, although .25 / sigma_1 is smaller."""
    method: Any = ForensicSimilarity()
    method.sigmas = np.array([0.1, 0.5])
    logits = np.log((1 - np.array([[0.2, 0.25]])) / np.array([[0.2, 0.25]]))
    scores = method.answer(np.zeros((1, 200)), logits)["native"]
    assert scores.candidate.tolist() == [0]
    np.testing.assert_allclose(scores.class_scores, [[-0.2, -0.25]], rtol=1e-6)
    np.testing.assert_allclose(scores.known_score, [-2.0], rtol=1e-6)


def test_references_are_mean_features_and_sigma_has_n_minus_1():
    method: Any = ForensicSimilarity()
    method.device, method.class_names = torch.device("cpu"), ("a", "b")
    method.model = method.build(2, 32)
    features = np.random.default_rng(0).normal(size=(7, 200)).astype(np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    found = Activations(features, np.zeros((7, 2)), labels)
    method.learn_rejection(found, found)
    with torch.inference_mode():
        for k in range(2):
            own = torch.from_numpy(features[labels == k])
            reference = own.mean(0)
            np.testing.assert_allclose(method.model.head.references[k], reference, atol=1e-6)
            similarity = method.model.head.pairwise(own, reference.expand_as(own)).sigmoid().double().numpy()
            expected = np.sqrt(((1 - similarity) ** 2).sum() / (len(own) - 1))
            assert method.sigmas[k] == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def tiny_cameras(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    return {"cameras": 2, "scene_count": 3, "crops": 2, "init": "scratch", "batch_size": 4}


def test_cameras_are_trained_on_once_for_all_folds(tiny_cameras, train_set, val_set, make_context, monkeypatch, caplog):
    """The second fit has other classes: it finds the trained network, and only its references are new."""
    first: Any = ForensicSimilarity(**tiny_cameras)
    first.fit(train_set, val_set, make_context("first", epochs=1))

    def refuse(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(pairwise, "train_network", refuse)
    monkeypatch.setattr(pairwise, "build_bank", refuse)
    two = train_set.subset(train_set.class_index < 2), val_set.subset(val_set.class_index < 2)
    context = make_context("second", epochs=1)
    context.class_names = ("alpha", "beta")
    second: Any = ForensicSimilarity(**tiny_cameras)
    with caplog.at_level("INFO", "osbench"):
        second.fit(*two, context)
    assert re.search(r"fsm was trained on these cameras before, in \d+ s that wall_time_s will not count", caplog.text)
    assert torch.equal(second.model.head.hidden.weight, first.model.head.hidden.weight)
    assert torch.equal(second.model.network.fc2.weight, first.model.network.fc2.weight)
    assert second.model.head.references.shape == (2, 200)
    with pytest.raises(AssertionError, match="trained again"):
        ForensicSimilarity(**tiny_cameras).fit(train_set, val_set, make_context("third", epochs=1, seed=1))


def test_other_code_trains_again(tiny_cameras, train_set, val_set, make_context, monkeypatch, tmp_path):
    for code in ("0" * 64, "1" * 64):
        monkeypatch.setattr(pairwise, "code_sha256", lambda cls, code=code: code)
        ForensicSimilarity(**tiny_cameras).fit(train_set, val_set, make_context(code[0], epochs=1))
    assert len(list((tmp_path / "cache" / "pairs").glob("*.safetensors"))) == 2


def test_the_network_sees_no_generated_image_before_its_references(
    tiny_cameras, train_set, val_set, make_context, monkeypatch
):
    drawn = []
    draw = ForensicSimilarity.draw

    def watched(self, crops, rng, pairs):
        drawn.append(crops.images.store)
        return draw(self, crops, rng, pairs)

    monkeypatch.setattr(ForensicSimilarity, "draw", watched)
    ForensicSimilarity(**tiny_cameras).fit(train_set, val_set, make_context(epochs=1))
    assert drawn
    assert not any(store is images.store for store in drawn for images in (train_set, val_set))


def test_trained_on_is_checked():
    with pytest.raises(UsageError, match="Known: cameras, seen"):
        ForensicSimilarity(trained_on="unseen")
