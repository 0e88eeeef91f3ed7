"""Votes of the nearest training images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.methods import clip_knn
from osbench.baselines.methods.clip_knn import ClipKnn
from osbench.benchmark.method import get_method
from osbench.core.errors import CheckpointError, UsageError

from ..tiny_clip import coloured_set, context, write_tiny_clip

pytestmark = pytest.mark.numeric

TRAIN = coloured_set((0, 1, 2), 20, 1, "train")
VAL = coloured_set((0, 1, 2), 8, 2, "val")
TEST = coloured_set((0, 1, 2), 8, 3, "test")


def literal_vote(similarity, labels, k, n_classes):
    """Plain loops over images, neighbours and classes."""
    for row in similarity:
        nearest = sorted(range(len(row)), key=lambda i: -row[i])[:k]
        shares = [sum(labels[i] == c for i in nearest) / k for c in range(n_classes)]
        means = [np.mean(sorted(row[labels == c])[-k:]) for c in range(n_classes)]
        yield max(range(n_classes), key=lambda c: (shares[c], means[c])), shares, means


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_vote_is_the_literal_one(seed, k):
    rng = np.random.default_rng(seed)
    method = ClipKnn()
    method.lift = np.zeros(3)
    method.class_names, method.labels = ("a", "b", "c"), rng.permutation(np.repeat(np.arange(3), 5))
    similarity = rng.normal(size=(6, 15))
    candidate, votes, means = method._vote(similarity, k)
    for i, (best, shares, averages) in enumerate(literal_vote(similarity, method.labels, k, 3)):
        assert candidate[i] == best
        np.testing.assert_allclose(votes[i], shares)
        np.testing.assert_allclose(means[i], averages)


@pytest.fixture
def method(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    method = ClipKnn(encoder=f"clip:{write_tiny_clip(tmp_path / 'clip')}")
    method.fit(TRAIN, VAL, context(tmp_path / "fit"))
    return method


def test_learns_an_easy_problem(method):
    answers = method.predict(TEST.pixels)
    assert set(answers) == {"similarity", "votes"}
    for scores in answers.values():
        assert (scores.candidate == TEST.class_index).mean() > 0.7
    assert len(np.unique(answers["votes"].known_score)) <= method.k
    assert len(np.unique(answers["similarity"].known_score)) == len(TEST)


def test_k_is_chosen_on_validation_images(method):
    val = method.similarities(method.features(VAL.pixels))
    hits = {k: (method._vote(val, k)[0] == VAL.class_index).mean() for k in (1, 3, 5, 10, 20)}
    assert hits[method.k] == max(hits.values())


def test_batches_do_not_change_anything(method, tmp_path, monkeypatch):
    """60 training and 24 validation images, never more than 7 at once; neither are their pixels."""
    monkeypatch.setattr(clip_knn, "BATCH", 7)
    seen, real = [], ClipKnn.features

    def watched(self, images):
        seen.append(len(images))
        return real(self, images)

    monkeypatch.setattr(ClipKnn, "features", watched)
    again = ClipKnn(encoder=f"clip:{tmp_path / 'clip'}")
    again.fit(TRAIN, VAL, context(tmp_path / "again"))
    assert max(seen) == 7
    assert again.k == method.k
    np.testing.assert_array_equal(again.labels, method.labels)
    np.testing.assert_array_equal(again.train_features, method.train_features)


def test_saved_and_loaded_answers_alike_and_refuses_other_weights(method, tmp_path):
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    restored = get_method("clip-knn").load(tmp_path / "saved")
    before, after = method.predict(TEST.pixels), restored.predict(TEST.pixels)
    for rule in before:
        np.testing.assert_array_equal(after[rule].known_score, before[rule].known_score)
    write_tiny_clip(tmp_path / "clip", seed=1)
    with pytest.raises(CheckpointError, match="other weights"):
        get_method("clip-knn").load(tmp_path / "saved").predict(TEST.pixels)


def test_one_line_errors(method, tmp_path):
    with pytest.raises(UsageError, match="at least 0"):
        ClipKnn(neighbours=-1)
    with pytest.raises(UsageError, match="smallest class has 20"):
        ClipKnn(encoder=f"clip:{tmp_path / 'clip'}", neighbours=21).fit(TRAIN, VAL, context(tmp_path / "fit2"))
    with pytest.raises(CheckpointError, match="no usable clip-knn"):
        ClipKnn.load(tmp_path)


def test_a_source_joins_without_a_vote(method, tmp_path):
    few, many = (coloured_set((3,), count, seed, "test").pixels for count, seed in ((3, 4), (24, 5)))
    joined = method.enroll(few, "delta")
    assert joined.class_names[-1] == "delta"
    assert joined.lift[:3].tolist() == [0, 0, 0]
    assert joined.lift[3] > 0, "fewer images are less similar"
    answers = joined.predict(many)
    assert set(answers) == {"similarity"}
    assert (answers["similarity"].candidate == 3).mean() > 0.6
    old, before = joined.predict(TEST.pixels)["similarity"], method.predict(TEST.pixels)["similarity"]
    assert (old.candidate == before.candidate).mean() > 0.6
    np.testing.assert_array_equal(old.class_scores[:, :3], before.class_scores)
    (tmp_path / "saved").mkdir()
    joined.save(tmp_path / "saved")
    again = get_method("clip-knn").load(tmp_path / "saved").predict(many)
    np.testing.assert_array_equal(again["similarity"].class_scores, answers["similarity"].class_scores)


def test_as_many_images_as_the_others_need_no_lift(method):
    assert abs(method._lift(10_000)) < method._lift(1)
