"""Logistic regression on CLIP features."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from osbench.baselines.encoders import clip as clip_module
from osbench.baselines.methods.clip_linear import ClipLinear
from osbench.benchmark.method import get_method
from osbench.core.errors import CheckpointError

from ..tiny_clip import coloured_set, context, write_tiny_clip

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "clip-linear-cache"))


TRAIN = coloured_set((0, 1, 2), 20, 1, "train")
VAL = coloured_set((0, 1, 2), 8, 2, "val")
TEST = coloured_set((0, 1, 2), 8, 3, "test")


def fitted(folder, tmp_path, **options):
    method = ClipLinear(encoder=f"clip:{folder}", **options)
    method.fit(TRAIN, VAL, context(tmp_path / "fit"))
    return method


def test_learns_an_easy_problem_with_every_rule(folder, tmp_path):
    answers = fitted(folder, tmp_path).predict(TEST.pixels)
    assert set(answers) == set(ClipLinear.rejections) > {"never", "msp", "knn"}
    for rule, scores in answers.items():
        assert (scores.candidate == TEST.class_index).mean() > 0.8, rule


def test_it_is_the_regression_of_scikit_learn(folder, tmp_path):
    method = fitted(folder, tmp_path, strength=10.0)
    regression = LogisticRegression(C=10.0, max_iter=1000, class_weight="balanced")
    regression.fit(method.features(TRAIN.pixels), TRAIN.class_index)
    expected = regression.predict_log_proba(method.features(TEST.pixels))
    np.testing.assert_allclose(method.predict(TEST.pixels)["msp"].class_scores, expected, atol=1e-3)


def test_two_classes(folder, tmp_path):
    method = ClipLinear(encoder=f"clip:{folder}", strength=10.0)
    train, val, test = (images.subset(images.class_index < 2) for images in (TRAIN, VAL, TEST))
    about = context(tmp_path / "fit")
    about.class_names = ("alpha", "beta")
    method.fit(train, val, about)
    scores = method.predict(test.pixels)["msp"]
    assert scores.class_scores.shape == (16, 2)
    assert (scores.candidate == test.class_index).mean() > 0.8


def test_saved_and_loaded_answers_alike_and_knows_its_weights(folder, tmp_path):
    method = fitted(folder, tmp_path, layer="block2")
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    assert not list((tmp_path / "saved").rglob("*clip*")), "CLIP itself is not saved"
    restored = get_method("clip-linear").load(tmp_path / "saved")
    before, after = method.predict(TEST.pixels), restored.predict(TEST.pixels)
    for rule in before:
        np.testing.assert_array_equal(after[rule].known_score, before[rule].known_score)


def test_a_second_seed_computes_no_features(folder, tmp_path, monkeypatch):
    fitted(folder, tmp_path)

    def refuse(folder):
        raise AssertionError("the network was loaded")

    monkeypatch.setattr(clip_module, "load_model", refuse)
    method = ClipLinear(encoder=f"clip:{folder}")
    method.fit(TRAIN, VAL, context(tmp_path / "again", seed=7))
    method.predict(TRAIN.pixels)


def test_missing_weights_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="hf download"):
        ClipLinear().fit(TRAIN, VAL, context(tmp_path / "fit"))
