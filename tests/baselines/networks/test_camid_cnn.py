from typing import Any

import pytest
import torch

from osbench.baselines.networks import build_network

pytestmark = pytest.mark.numeric


def test_maps_halve_exactly_at_256_px():
    shapes = []
    with torch.device("meta"):
        network: Any = build_network("camid-cnn", 256).eval()
        for name in ("conv1", "conv2", "conv3", "fc1"):
            getattr(network, name).register_forward_hook(lambda m, i, o: shapes.append(tuple(o.shape[1:])))
        network(torch.empty(1, 3, 256, 256))
    assert shapes == [(64, 128, 128), (48, 64, 64), (48, 32, 32), (128,)]
    assert network.fc1.in_features == 48 * 16 * 16


def test_embeddings_are_not_negative_and_brightness_does_not_matter():
    torch.manual_seed(0)
    network = build_network("camid-cnn", 40).eval()
    images = torch.rand(2, 3, 40, 40) * 100
    with torch.inference_mode():
        features = network(images)
        torch.testing.assert_close(network(images + 100), features, rtol=1e-3, atol=1e-4)
    assert features.min() >= 0
