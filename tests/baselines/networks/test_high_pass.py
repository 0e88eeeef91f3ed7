import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from osbench.baselines.networks.high_pass import HighPass

pytestmark = pytest.mark.numeric


def test_constant_images_vanish_to_the_border():
    assert HighPass()(torch.full((1, 3, 9, 9), 255.0)).abs().max() < 1e-3


def test_every_channel_by_itself():
    """Against a literal correlation of the mirrored channel with the kernel in outer-product form."""
    image = np.random.default_rng(0).uniform(0, 255, (3, 12, 12))
    rows = {0: [-1, 2, -2, 2, -1], 1: [2, -6, 8, -6, 2], 2: [-2, 8, -12, 8, -2]}
    kernel = np.array([rows[min(i, 4 - i)] for i in range(5)]) / 12
    expected = [correlate2d(np.pad(channel, 2, mode="reflect"), kernel, mode="valid") for channel in image]
    found = HighPass()(torch.from_numpy(image[None]).float())[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_it_is_neither_trained_nor_saved():
    layer = HighPass()
    assert not list(layer.parameters())
    assert not layer.state_dict()
