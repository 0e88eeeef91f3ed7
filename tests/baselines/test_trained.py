"""What all trained networks share."""

import numpy as np
import torch

from osbench.baselines.inputs import Inputs
from osbench.baselines.methods.proposed import Proposed


def test_activations_are_those_of_every_image_in_order(train_set):
    """144 images in batches of 20, the last of which is smaller."""
    method = Proposed(batch_size=10)
    method.device, method.crop_size = torch.device("cpu"), 32
    method.model = method.build(3, 32)
    found = method.activations(Inputs(train_set, method.convert))
    features, logits = method._forward(method.convert(train_set.pixels))
    np.testing.assert_allclose(found.features, features, atol=1e-5)
    np.testing.assert_allclose(found.logits, logits, atol=1e-4)
    np.testing.assert_array_equal(found.labels, train_set.class_index)
    assert found.features.dtype == found.logits.dtype == np.float32
