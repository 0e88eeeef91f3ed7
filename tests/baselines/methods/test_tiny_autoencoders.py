"""Tiny Autoencoders: patches, errors, the SVM in the linear head, photographs; and that it learns in seconds."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from osbench.baselines import training
from osbench.baselines.methods.tiny_autoencoders import (
    OwnError,
    ReconstructionErrors,
    TinyAutoencoders,
    decoder,
    encoder,
    informative_patches,
    photograph_patches,
    tile_corners,
)
from osbench.baselines.rejection import Activations
from osbench.benchmark.method import Context
from osbench.core.errors import DatasetError, UsageError

SMALL = {"epochs": 2, "patches_per_class": 12, "batch_size": 12, "real_patches": 40}


def test_size_of_the_published_autoencoder():
    """The published file of float32 weights has 545 kB."""
    parameters = sum(p.numel() for part in (encoder(), decoder()) for p in part.parameters())
    assert parameters == 135_171
    assert decoder()(encoder()(torch.zeros(1, 3, 64, 64))).shape == (1, 3, 64, 64)


def test_small_crops_are_one_patch_and_large_ones_the_sixteen_most_informative():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (2, 50, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(informative_patches(small, 48), small[:, None, 1:49, 1:49])
    assert tile_corners(256, 64) == [(y, x) for y in range(0, 256, 64) for x in range(0, 256, 64)]
    image = np.full((1, 320, 320, 3), 90, np.uint8)
    textured = [(y, x) for y, x in tile_corners(320, 64) if (y + x) // 64 % 3 != 2][:16]
    for y, x in textured:
        image[0, y : y + 64, x : x + 64] = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    found = informative_patches(image, 64)
    assert found.shape == (1, 16, 64, 64, 3)
    assert {p.tobytes() for p in found[0]} == {image[0, y : y + 64, x : x + 64].tobytes() for y, x in textured}


def test_errors_are_means_over_patches_and_pixels():
    torch.manual_seed(0)
    network, patches = ReconstructionErrors(3), 255 * torch.rand(2, 4, 3, 32, 32)
    for k in range(3):
        for i in range(2):
            expected = np.mean(
                [(network.decoder(network.encoders[k](p[None])) - p).square().mean().item() for p in patches[i]]
            )
            assert network(patches)[i, k].item() == pytest.approx(np.log(expected), rel=1e-5)


def test_the_own_error_is_measured_in_spreads_of_the_own_class():
    features = np.array([[1.0, 9.0], [3.0, 9.0], [9.0, 10.0], [9.0, 30.0]])
    train = Activations(features, np.zeros((4, 2)), np.array([0, 0, 1, 1]))
    rule = OwnError()
    rule.fit(train, train, None)
    known = rule.known_score(np.array([[2.0, 60.0], [5.0, 40.0]]), np.zeros((2, 2)))
    np.testing.assert_allclose(known, [0.0, -2.0])


def test_photographs_give_equally_many_patches(tmp_path):
    for i, colour in enumerate([(200, 30, 30), (30, 200, 30), (30, 30, 200)]):
        Image.new("RGB", (80, 60), colour).save(tmp_path / f"{i}.jpg")
    patches = photograph_patches(tmp_path, 48, 12, np.random.default_rng(0))
    assert patches.shape == (12, 48, 48, 3)
    assert np.bincount(patches.mean((1, 2)).argmax(1)).tolist() == [4, 4, 4]
    with pytest.raises(DatasetError, match="smaller than a patch of 64 px"):
        photograph_patches(tmp_path, 64, 12, np.random.default_rng(0))


def test_crops_below_32_px_are_one_line():
    with pytest.raises(UsageError, match="at least 32 px"):
        TinyAutoencoders().build(3, 31)


@pytest.fixture(scope="module")
def fitted(train_set, val_set, tmp_path_factory):
    method = TinyAutoencoders(**SMALL)
    folder = tmp_path_factory.mktemp("tiny-autoencoders")
    method.fit(train_set, val_set, Context(0, torch.device("cpu"), folder, ("alpha", "beta", "gamma"), 32))
    return method


def strong_waves(images, seed):
    """The same set with waves of a direction and length per class that nobody can miss; the last is unseen."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    waves = [np.sin(y * np.pi / 2), np.sin(x * np.pi / 2), np.sin(x * 2.1) * np.sin(y * 2.1), np.sin((x + y) / 2)]
    noise = rng.normal(0, 5, (len(images), 32, 32, 3)) + rng.uniform(98, 158, (len(images), 1, 1, 3))
    store = noise + 70 * np.stack([waves[k] for k in images.class_index])[..., None]
    return dataclasses.replace(images, store=store.clip(0, 255).astype(np.uint8))


def test_learns_an_easy_problem(train_set, val_set, test_set, make_context):
    method = TinyAutoencoders(epochs=10, patches_per_class=24, batch_size=6, lr=2e-3, real_patches=48)
    method.fit(strong_waves(train_set, 0), strong_waves(val_set, 1), make_context())
    test = strong_waves(test_set, 2)
    seen, found = test.class_index >= 0, method.predict(test.pixels)
    assert set(found) == set(method.rejections)
    assert (found["native"].candidate[seen] == test.class_index[seen]).mean() > 0.9
    for rule in ("native", "mahalanobis"):
        known = found[rule].known_score
        assert np.median(known[~seen]) < known[seen].min(), rule


def test_two_classes_have_two_opposite_margins(train_set, val_set, make_context):
    two = train_set.subset(train_set.class_index < 2), val_set.subset(val_set.class_index < 2)
    context = make_context(epochs=1)
    context.class_names = ("alpha", "beta")
    method = TinyAutoencoders(**SMALL)
    method.fit(*two, context)
    head = method.linear_head()
    np.testing.assert_array_equal(head.weight[0], -head.weight[1])
    assert head.bias[0] == -head.bias[1]


def test_an_interrupted_fit_resumes_to_the_bit(train_set, val_set, make_context, monkeypatch):
    def fit(folder: str) -> TinyAutoencoders:
        method = TinyAutoencoders(**SMALL)
        method.fit(train_set, val_set, make_context(folder, seed=5, epochs=2))
        return method

    whole = fit("whole")
    save, saved = training._Progress.save, []

    def save_then_die(self, *args):
        save(self, *args)
        saved.append(self.epoch)
        if len(saved) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(training._Progress, "save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        fit("broken")
    monkeypatch.setattr(training._Progress, "save", save)
    resumed = fit("broken")
    for (key, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
