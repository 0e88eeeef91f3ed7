import numpy as np
import pytest
import torch

from osbench.baselines.networks import scale_pixels

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("bounds", [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)])
def test_black_and_white_meet_the_ends_of_the_range(bounds):
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[1] = 255
    x = scale_pixels(images, bounds)
    assert x.dtype == torch.float32
    assert x.shape == (2, 3, 4, 4)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert (x[0].unique().tolist(), x[1].unique().tolist()) == ([bounds[0]], [bounds[1]])


def test_the_images_themselves_are_left_alone():
    images = np.full((1, 2, 2, 3), 7, np.uint8)
    scale_pixels(images, (-1.0, 1.0))
    assert (images == 7).all()
