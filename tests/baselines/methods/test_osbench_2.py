"""``osbench-2``: that it knows what it has never seen, on one tile and on several, and its tiles."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from osbench.baselines.methods.osbench_2 import Osbench2, tiles
from osbench.benchmark.method import Context
from osbench.benchmark.method_checks import easy_images
from osbench.core.errors import CheckpointError, RunError, UsageError

pytestmark = pytest.mark.numeric

SIZES = (("train", 24), ("val", 10), ("test", 10))


@pytest.fixture(scope="module")
def fitted(train_set, val_set, tmp_path_factory) -> Osbench2:
    method = Osbench2()
    folder = tmp_path_factory.mktemp("osbench-2")
    method.fit(train_set, val_set, Context(0, torch.device("cpu"), folder, ("alpha", "beta", "gamma"), 32))
    return method


def test_learns_and_rejects_an_unseen_trace(train_set, val_set, test_set, make_context):
    """Without the third class, whose trace is the second one's after a quarter turn."""
    two = Osbench2()
    context = replace(make_context(), class_names=("alpha", "beta"))
    two.fit(train_set.subset(train_set.class_index < 2), val_set.subset(val_set.class_index < 2), context)
    test_set = test_set.subset(test_set.class_index != 2)
    scores = two.predict(test_set.pixels)["native"]
    seen = test_set.class_index >= 0
    assert (scores.candidate[seen] == test_set.class_index[seen]).mean() > 0.95
    assert (scores.known_score[seen][:, None] > scores.known_score[~seen]).mean() > 0.95
    np.testing.assert_array_equal(scores.class_scores.argmax(1), scores.candidate)
    np.testing.assert_array_equal(scores.class_scores.max(1), scores.known_score)


def test_a_quarter_turn_is_no_trace(fitted, test_set):
    scores = fitted.predict(test_set.pixels)["native"]
    turned = np.isin(test_set.class_index, (1, 2))
    assert (scores.candidate[~turned] == 0)[test_set.class_index[~turned] == 0].all()
    assert np.isin(scores.candidate[turned], (1, 2)).all()
    assert (scores.candidate[turned] == test_set.class_index[turned]).mean() < 0.9


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
        method = Osbench2()
        method.fit(lopsided, val_set, make_context(seed=seed))
        answers.append(method.predict(val_set.pixels)["native"].known_score)
    np.testing.assert_array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_two_images_a_class_are_enough_to_answer(train_set, val_set, test_set, make_context):
    method = Osbench2()
    method.fit(train_set.subset(np.r_[0:2, 48:50, 96:98]), val_set.subset(np.r_[0:1, 16:17]), make_context())
    assert len(method.predict(test_set.pixels)["native"]) == len(test_set)


def test_bad_input_is_one_line(fitted, train_set, val_set, test_set, make_context, tmp_path):
    with pytest.raises(UsageError, match="32 x 32"):
        fitted.predict(np.zeros((2, 40, 40, 3), np.uint8))
    with pytest.raises(RunError, match="unseen"):
        Osbench2().fit(test_set, val_set, make_context())
    with pytest.raises(CheckpointError, match="no usable osbench-2 model"):
        Osbench2.load(tmp_path)
    small = train_set.subset(np.arange(len(train_set)))
    object.__setattr__(small, "store", train_set.store[:, :31, :31])
    with pytest.raises(UsageError, match="at least 32 px"):
        Osbench2().fit(small, val_set, make_context())


def test_tiles_lie_in_the_middle_and_do_not_overlap():
    images = np.arange(150 * 150, dtype=np.uint16).reshape(1, 150, 150, 1).repeat(3, 3)
    found = tiles(images, 64)
    assert found.shape == (1, 4, 64, 64, 3)
    np.testing.assert_array_equal(found[0, 0], images[0, 11:75, 11:75])
    np.testing.assert_array_equal(found[0, 3], images[0, 75:139, 75:139])
    np.testing.assert_array_equal(tiles(images[:, :100, :100], 64)[:, 0], images[:, :100, :100])


def test_four_tiles_of_a_picture(make_context):
    sets = [easy_images(name, count, 64, seed=s, kinds=(0, 1)) for s, (name, count) in enumerate(SIZES, 1)]
    method = Osbench2(tile=32)
    method.fit(sets[0], sets[1], replace(make_context(), crop_size=64, class_names=("alpha", "beta")))
    answers = method.predict(sets[2].pixels)["native"]
    assert (answers.candidate == sets[2].class_index).mean() > 0.95
