"""``osbench-1``: its parts against definitions, and that it knows what it has never seen."""

import numpy as np
import pytest
import torch

from osbench.baselines.methods.osbench_1 import Osbench1
from osbench.benchmark.method import Context
from osbench.core.errors import CheckpointError, RunError, UsageError

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def fitted(train_set, val_set, tmp_path_factory) -> Osbench1:
    method = Osbench1()
    folder = tmp_path_factory.mktemp("osbench-1")
    method.fit(train_set, val_set, Context(0, torch.device("cpu"), folder, ("alpha", "beta", "gamma"), 32))
    return method


def test_learns_and_rejects_an_unseen_trace(fitted, test_set):
    scores = fitted.predict(test_set.pixels)["native"]
    seen = test_set.class_index >= 0
    assert (scores.candidate[seen] == test_set.class_index[seen]).mean() > 0.95
    assert (scores.known_score[seen][:, None] > scores.known_score[~seen]).mean() > 0.95
    np.testing.assert_array_equal(scores.class_scores.argmax(1), scores.candidate)
    np.testing.assert_array_equal(scores.class_scores.max(1), scores.known_score)


def test_one_threshold_means_the_same_for_every_class(fitted, val_set):
    """Each class's own validation images have deviations of mean 0 and standard deviation 1."""
    scores = -fitted.predict(val_set.pixels)["native"].class_scores
    for k in range(3):
        own = scores[val_set.class_index == k, k]
        assert own.mean() == pytest.approx(0.0, abs=1e-4)
        assert own.std() == pytest.approx(1.0, abs=1e-4)


def test_classes_are_balanced_by_the_seed(train_set, val_set, make_context):
    lopsided = train_set.subset(np.r_[0:10, 48:96, 96:144])
    answers = []
    for seed in (0, 0, 1):
        method = Osbench1()
        method.fit(lopsided, val_set, make_context(seed=seed))
        answers.append(method.predict(val_set.pixels)["native"].known_score)
    np.testing.assert_array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_two_images_a_class_are_enough_to_answer(train_set, val_set, test_set, make_context):
    method = Osbench1()
    method.fit(train_set.subset(np.r_[0:2, 48:50, 96:98]), val_set.subset(np.r_[0:1, 16:17]), make_context())
    assert len(method.predict(test_set.pixels)["native"]) == len(test_set)


def test_bad_input_is_one_line(fitted, train_set, val_set, test_set, make_context, tmp_path):
    with pytest.raises(UsageError, match="32 x 32"):
        fitted.predict(np.zeros((2, 40, 40, 3), np.uint8))
    with pytest.raises(RunError, match="unseen"):
        Osbench1().fit(test_set, val_set, make_context())
    with pytest.raises(CheckpointError, match="no usable osbench-1 model"):
        Osbench1.load(tmp_path)
    small = train_set.subset(np.arange(len(train_set)))
    object.__setattr__(small, "store", train_set.store[:, :31, :31])
    with pytest.raises(UsageError, match="at least 32 px"):
        Osbench1().fit(small, val_set, make_context())
