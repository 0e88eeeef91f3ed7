import numpy as np
import torch

from osbench.baselines.inputs import Inputs


def convert(images):
    return torch.from_numpy(images.astype(np.float32))


def test_epochs_are_balanced_shuffled_and_reproducible(train_set):
    lopsided = train_set.subset(np.r_[0:10, 48:96, 96:144])
    inputs = Inputs(lopsided, convert)
    labels = torch.cat([y for _, y in inputs.epoch(6, np.random.default_rng(0))])
    assert np.bincount(labels).tolist() == [10, 10, 10]
    assert inputs.batch_count(6) == 5
    again = torch.cat([y for _, y in inputs.epoch(6, np.random.default_rng(0))])
    assert torch.equal(labels, again)
    other = torch.cat([y for _, y in inputs.epoch(6, np.random.default_rng(1))])
    assert not torch.equal(labels, other)


def test_a_set_smaller_than_a_batch_is_one_batch(val_set):
    batches = list(Inputs(val_set, convert).epoch(512, np.random.default_rng(0)))
    assert [len(y) for _, y in batches] == [48]


def test_flips_mirror_about_half_of_the_images_and_nothing_else(val_set):
    plain = {y.tobytes() for y in val_set.pixels}
    mirrored = {y[:, ::-1].tobytes() for y in val_set.pixels}
    inputs = Inputs(val_set, lambda images: torch.from_numpy(images), flip=True)
    ((x, _),) = inputs.epoch(48, np.random.default_rng(0))
    kinds = [(im.numpy().tobytes() in plain, im.numpy().tobytes() in mirrored) for im in x]
    assert all(a or b for a, b in kinds)
    assert 10 < sum(b for _, b in kinds) < 38


def test_images_are_augmented_in_training_alone(val_set):
    def darker(images, rng):
        return images // 2

    inputs = Inputs(val_set, lambda images: torch.from_numpy(images.copy()), augment=darker)
    ((x, _),) = inputs.epoch(48, np.random.default_rng(0))
    assert {image.numpy().tobytes() for image in x} == {image.tobytes() for image in val_set.pixels // 2}
    np.testing.assert_array_equal(torch.cat(list(inputs.in_order(48))), val_set.pixels)
