from typing import Any

import pytest
import torch

from osbench.baselines.networks import build_network

pytestmark = pytest.mark.numeric


def test_size_and_shapes():
    network: Any = build_network("resnet50", 64).eval()
    assert sum(p.numel() for p in network.parameters()) == 23_508_032
    with torch.inference_mode():
        images = torch.rand(2, 3, 64, 64)
        maps = network.maps(images)
        assert maps.shape == (2, 2048, 2, 2)
        torch.testing.assert_close(network(images), maps.mean((2, 3)))
        network.pool = "max"
        torch.testing.assert_close(network(images), maps.amax((2, 3)))
