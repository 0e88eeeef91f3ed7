"""EfficientNet-B4's shape against the paper's scaling rule; its size is in test_sizes.py."""

from typing import Any

import pytest
import torch

from osbench.baselines.networks.efficientnet_b4 import EfficientNetB4, InvertedResidual, scaled_channels

pytestmark = pytest.mark.numeric


def test_channels_and_repetitions_of_b4():
    assert [scaled_channels(c) for c in (16, 24, 40, 80, 112, 192, 320)] == [24, 32, 56, 112, 160, 272, 448]
    with torch.device("meta"):
        network: Any = EfficientNetB4(64)
    outputs = [block.project[0].out_channels for block in network.blocks]
    repeats = {24: 2, 32: 4, 56: 4, 112: 6, 160: 6, 272: 8, 448: 2}
    assert {c: outputs.count(c) for c in outputs} == repeats
    assert network.embedding_dim == 1792


def test_the_map_is_reduced_32_times():
    with torch.device("meta"):
        network: Any = EfficientNetB4(64)
        assert network.blocks(network.stem(torch.empty(1, 3, 64, 64))).shape[-2:] == (2, 2)


def test_a_block_with_shortcut_starts_as_the_identity_and_drops_whole_images():
    torch.manual_seed(0)
    network: Any = EfficientNetB4(32)
    block: Any = next(b for b in network.blocks if isinstance(b, InvertedResidual) and b.shortcut and b.drop > 0)
    channels = block.project[0].out_channels
    x = torch.randn(6, channels, 4, 4)
    torch.testing.assert_close(block.eval()(x), x)
    torch.nn.init.ones_(block.project[1].weight)
    block.train().drop = 0.5
    untouched = (block(x) == x).flatten(1).all(1)
    assert untouched.any()
    assert not untouched.all()
    block.drop = 0.0
    assert not (block(x) == x).flatten(1).all(1).any()
