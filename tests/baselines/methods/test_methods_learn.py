"""Every trained method learns an easy problem in seconds, survives saving, and resumes to the bit."""

from typing import Any

import numpy as np
import pytest
import torch

from osbench.baselines import training
from osbench.benchmark.method import Context
from osbench.benchmark.method import get_method as method_class
from osbench.core.errors import CheckpointError, RunError, UsageError


def get_method(name: str) -> Any:
    return method_class(name)


FAST = {
    "proposed": ({"batch_size": 16, "lr_decay": 0.9}, 6),
    "dct-cnn": ({"batch_size": 16, "lr": 3e-3}, 12),
}


@pytest.fixture(scope="module")
def fitted(train_set, val_set, tmp_path_factory):
    """Each method fitted once."""
    methods = {}
    for name, (options, epochs) in FAST.items():
        method = get_method(name)(**options)
        folder = tmp_path_factory.mktemp(name)
        method.fit(train_set, val_set, Context(0, torch.device("cpu"), folder, ("alpha", "beta", "gamma"), 32, epochs))
        methods[name] = method
    return methods


def check_learned(method, images, accuracy=0.9):
    scores = method.predict(images.pixels)
    assert set(scores) == set(method.rejections)
    seen = images.class_index >= 0
    for rule, s in scores.items():
        assert s.class_scores.shape == (len(images), 3)
        assert (s.candidate[seen] == images.class_index[seen]).mean() > accuracy, rule


@pytest.mark.parametrize("name", FAST)
def test_learns_an_easy_problem(name, fitted, test_set):
    check_learned(fitted[name], test_set)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "epochs", "accuracy"),
    [
        # 23.5 M parameters on 144 images of 32 px: well above chance (1/3) is what it can do in a minute.
        ("resnet50", {"batch_size": 8, "lr": 3e-4}, 8, 0.55),
        ("proposed", {"batch_size": 16, "preset": "paper-literal"}, 10, 0.9),
        ("proposed", {"batch_size": 16, "preset": "official", "lr_decay": 0.9}, 10, 0.9),
        ("proposed", {"batch_size": 16, "network": "stega-cnn", "lr_decay": 0.9}, 8, 0.9),
        # No batch normalisation: it hesitates for 20 epochs of 9 batches.
        ("proposed", {"batch_size": 16, "network": "camid-cnn", "lr_decay": 0.9}, 40, 0.9),
    ],
)
def test_heavier_settings_learn_it_too(name, options, epochs, accuracy, train_set, val_set, test_set, make_context):
    method = get_method(name)(**options)
    method.fit(train_set, val_set, make_context(epochs=epochs))
    check_learned(method, test_set, accuracy)


@pytest.mark.parametrize("name", FAST)
def test_saved_and_loaded_methods_answer_alike(name, fitted, test_set, tmp_path):
    fitted[name].save(tmp_path)
    restored = get_method(name).load(tmp_path)
    assert restored.options == fitted[name].options
    again = restored.predict(test_set.pixels)
    for rule, s in fitted[name].predict(test_set.pixels).items():
        np.testing.assert_array_equal(again[rule].known_score, s.known_score)
        np.testing.assert_array_equal(again[rule].class_scores, s.class_scores)
        np.testing.assert_array_equal(again[rule].candidate, s.candidate)


def test_a_model_answers_with_the_rules_it_was_saved_with(fitted, test_set, tmp_path, monkeypatch):
    fitted["dct-cnn"].save(tmp_path)
    monkeypatch.setattr(get_method("dct-cnn"), "rejections", ("never", "a-later-rule"))
    assert "msp" in get_method("dct-cnn").load(tmp_path).predict(test_set.pixels)


def test_loading_rubbish_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match="no usable proposed model"):
        get_method("proposed").load(tmp_path)


def test_other_image_sizes_are_refused(fitted):
    with pytest.raises(UsageError, match="32 x 32"):
        fitted["proposed"].predict(np.zeros((2, 40, 40, 3), np.uint8))


@pytest.mark.parametrize(("name", "epochs"), [("proposed", 3), ("dct-cnn", 3)])
def test_an_interrupted_fit_resumes_to_the_bit(name, epochs, train_set, val_set, make_context, monkeypatch):
    options, _ = FAST[name]

    def fit(folder: str):
        method = get_method(name)(**options)
        method.fit(train_set, val_set, make_context(folder, seed=5, epochs=epochs))
        return method

    whole = fit("whole")
    save, saved = training._Progress.save, []

    def save_then_die(self, *args):
        save(self, *args)
        saved.append(self.epoch)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training._Progress, "save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        fit("broken")
    monkeypatch.setattr(training._Progress, "save", save)
    resumed = fit("broken")
    for (key, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    for key, value in whole.arrays().items():
        np.testing.assert_array_equal(value, resumed.arrays()[key])


def test_the_seed_decides(train_set, val_set, make_context):
    def first_weights(seed, folder):
        method = get_method("dct-cnn")(batch_size=16)
        method.fit(train_set, val_set, make_context(folder, seed=seed, epochs=1))
        return method.model.head.linear.weight

    torch.manual_seed(99)
    state = torch.get_rng_state()
    a = first_weights(1, "a")
    assert torch.equal(torch.get_rng_state(), state), "fitting must not touch the global random stream"
    torch.manual_seed(7)
    assert torch.equal(a, first_weights(1, "b"))
    assert not torch.equal(a, first_weights(2, "c"))


def test_unseen_images_and_lonely_classes_are_refused(train_set, val_set, test_set, make_context):
    method = get_method("dct-cnn")()
    with pytest.raises(RunError, match="unseen"):
        method.fit(test_set, val_set, make_context())
    no_alpha = np.flatnonzero(train_set.class_index != 0)
    with pytest.raises(RunError, match="class 'alpha' has 0 training image"):
        method.fit(train_set.subset(no_alpha), val_set, make_context())


def test_a_diverging_loss_names_epoch_and_batch(train_set, val_set, make_context, monkeypatch):
    method = get_method("dct-cnn")(batch_size=16)
    monkeypatch.setattr(method, "convert", lambda images: torch.full((len(images), 3, 32, 32), float("nan")))
    monkeypatch.setitem(method.options, "cache_limit_gb", 0.0)
    monkeypatch.setattr(method, "prepare", lambda train: None)
    with pytest.raises(RunError, match=r"loss is nan in epoch 1, batch 1"):
        method.fit(train_set, val_set, make_context(epochs=1))
