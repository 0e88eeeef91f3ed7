from typing import Any

import pytest
import torch

from osbench.baselines.networks import build_network

pytestmark = pytest.mark.numeric


def test_flows_and_poolings():
    with torch.device("meta"):
        network: Any = build_network("xception", 299).eval()
        shapes = []
        for number in (1, 2, 3, 11, 12):
            getattr(network, f"block{number}").register_forward_hook(lambda m, i, o: shapes.append(tuple(o.shape[1:])))
        maps = network.maps(torch.empty(1, 3, 299, 299))
    assert shapes == [(128, 74, 74), (256, 37, 37), (728, 19, 19), (728, 19, 19), (1024, 10, 10)]  # Fig. 5 at 299 px
    assert maps.shape == (1, 2048, 10, 10)


def test_names_of_the_public_weights():
    """A few names and shapes that the public state dict is known by."""
    with torch.device("meta"):
        state = build_network("xception", 64).state_dict()
    assert state["block1.rep.0.conv1.weight"].shape == (64, 1, 3, 3)  # no ReLU in front of the first block
    assert state["block2.rep.1.pointwise.weight"].shape == (256, 128, 1, 1)
    assert state["block4.rep.8.running_var"].shape == (728,)
    assert state["block12.rep.1.pointwise.weight"].shape == (728, 728, 1, 1)
    assert state["block12.skipbn.weight"].shape == (1024,)
    assert state["conv4.pointwise.weight"].shape == (2048, 1536, 1, 1)
    assert not any(key.startswith("block5.skip") for key in state)


def test_max_pooling_is_respected():
    torch.manual_seed(0)
    network: Any = build_network("xception", 80, pool="max").eval()
    with torch.inference_mode():
        images = torch.rand(1, 3, 80, 80)
        torch.testing.assert_close(network(images), network.maps(images).amax((2, 3)))
