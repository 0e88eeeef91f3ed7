"""Parameters and multiply-adds of every network, against published counts and counts by hand; any size from 32 px."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

from osbench.baselines.networks import build_network, network_names


class MultiplyAdds(TorchFunctionMode):
    """Counts the multiplications of every convolution and dense layer that runs inside; biases and norms are free."""

    total = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func in (torch.conv2d, torch.nn.functional.linear):
            weight = args[1]
            self.total += out.numel() * math.prod(weight.shape[1:])
        return out


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# (parameters, giga multiply-adds at 256 px) without a classification layer, to the digits of facts that were counted
# on other people's code (Xception, ResNet-50, MISLNet, EfficientNet-B4) or by hand (Stega-CNN, CamID-CNN).
EXPECTED = {
    "mislnet": (1_256_000, -3, 1.16),
    "xception": (20_806_952, 0, 5.95),
    "resnet50": (23_508_032, 0, 5.34),
    "camid-cnn": (1_730_000, -4, 0.41),
    "stega-cnn": (15_048, 0, 0.10),
    "efficientnet-b4": (17_548_616, 0, 1.96),
}


def test_the_five_networks_of_paper_1_exist():
    assert set(EXPECTED) <= set(network_names())


@pytest.mark.parametrize("name", EXPECTED)
def test_parameters_and_multiply_adds_at_256_px(name):
    count, digits, giga = EXPECTED[name]
    with torch.device("meta"):
        network = build_network(name, 256).eval()
        images = torch.empty(1, 3, 256, 256)
    assert round(parameters(network), digits) == count
    with MultiplyAdds() as counter, torch.inference_mode():
        features = network(images)
    assert features.shape == (1, network.embedding_dim)
    assert round(counter.total / 1e9, 2) == giga


def test_the_counter_on_layers_counted_by_hand():
    layers: Any = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, 3, groups=2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(6, 5)
    )
    with MultiplyAdds() as counter:
        layers(torch.zeros(2, 4, 10, 10))
    assert counter.total == 2 * (8 * 8 * 6 * 2 * 9) + 2 * (6 * 5)


@given(name=st.sampled_from(sorted(EXPECTED)), side=st.integers(32, 300))
@settings(max_examples=40, deadline=None)
def test_any_side_from_32_px_gives_features(name, side):
    with torch.device("meta"):
        network = build_network(name, side)
        assert network(torch.empty(2, 3, side, side)).shape == (2, network.embedding_dim)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_small_image_trains_every_parameter(name):
    """One real step at the smallest size: finite features, a gradient for every parameter, eval repeats itself."""
    torch.manual_seed(0)
    network = build_network(name, 32)
    low, high = network.input_range
    images = low + (high - low) * torch.rand(3, 3, 32, 32)
    network(images).square().sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    with torch.inference_mode():
        features = network.eval()(images)
        torch.testing.assert_close(features[:1], network(images[:1]), rtol=1e-4, atol=1e-5)
    assert features.isfinite().all()
