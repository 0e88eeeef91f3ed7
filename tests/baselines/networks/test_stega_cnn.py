from typing import Any

import pytest
import torch

from osbench.baselines.networks import build_network

pytestmark = pytest.mark.numeric


def test_maps_at_256_px():
    shapes = []
    with torch.device("meta"):
        network: Any = build_network("stega-cnn", 256).eval()
        for number in range(1, 6):
            module = getattr(network, f"conv{number}")
            module.register_forward_hook(lambda m, i, o: shapes.append(tuple(o.shape[1:])))
        network(torch.empty(1, 3, 256, 256))
    assert shapes == [(8, 256, 256), (16, 128, 128), (32, 64, 64), (64, 32, 32), (128, 16, 16)]


def test_no_convolution_has_a_bias():
    assert not [
        name for name, _ in build_network("stega-cnn", 32).named_parameters() if "conv" in name and "bias" in name
    ]


def test_the_sign_of_the_first_residual_does_not_matter():
    """Absolute values behind the first convolution: flipping the sign of its kernels changes nothing."""
    torch.manual_seed(0)
    network: Any = build_network("stega-cnn", 32).eval()
    images = torch.rand(2, 3, 32, 32) * 255
    with torch.inference_mode():
        before = network(images)
        network.conv1.weight.neg_()
        torch.testing.assert_close(network(images), before)
