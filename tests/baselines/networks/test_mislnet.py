from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osbench.baselines.networks import build_network
from osbench.baselines.networks.mislnet import ConstrainedConv2d
from osbench.core.errors import UsageError

pytestmark = pytest.mark.numeric


def mislnet(side: int) -> Any:
    return build_network("mislnet", side)


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("side", "millions"), [(256, 1.256), (128, 0.437)])
def test_parameter_counts(side, millions):
    assert round(parameters(mislnet(side)) / 1e6, 3) == millions


def assert_constrained(layer: ConstrainedConv2d) -> None:
    kernels = layer.kernels().detach().double()
    centre = kernels[:, :, 2, 2]
    assert torch.equal(centre, torch.full_like(centre, -1.0))
    torch.testing.assert_close(kernels.sum((2, 3)), torch.zeros_like(centre), atol=1e-6, rtol=0)


def test_constraint_holds_after_every_training_step():
    torch.manual_seed(0)
    network = mislnet(32)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05)
    before = network.constrained.kernels().detach().clone()
    for _ in range(10):
        optimizer.zero_grad()
        network(torch.rand(4, 3, 32, 32) * 255).square().mean().backward()
        optimizer.step()
        assert_constrained(network.constrained)
    assert not torch.equal(before, network.constrained.kernels()), "the kernels must be trained"


@given(seed=st.integers(0, 2**31), scale=st.floats(1e-3, 0.3), shift=st.floats(-0.3, 0.3))
@settings(max_examples=25, deadline=None)
def test_constraint_holds_for_any_weights(seed, scale, shift):
    torch.manual_seed(seed)
    layer = ConstrainedConv2d(3, 6)
    with torch.no_grad():
        layer.weight.copy_(torch.randn_like(layer.weight) * scale + shift)
    assert_constrained(layer)


def test_constrained_filters_ignore_constant_images():
    layer = ConstrainedConv2d(3, 6)
    assert layer(torch.full((1, 3, 16, 16), 200.0)).abs().max() < 1e-3


@given(side=st.integers(32, 140))
@settings(max_examples=12, deadline=None)
def test_any_side_from_32_px_works(side):
    network = mislnet(side).eval()
    with torch.inference_mode():
        features = network(torch.rand(2, 3, side, side) * 255)
    assert features.shape == (2, 200)
    assert features.abs().max() <= 1


def test_feature_maps_of_the_paper_at_256_px():
    shapes = []
    network = mislnet(256).eval()
    for name in ("constrained", "conv1", "conv2", "conv3", "conv4", "fc1"):
        getattr(network, name).register_forward_hook(lambda m, i, o: shapes.append(tuple(o.shape[1:])))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 256, 256))
    assert shapes == [(6, 252, 252), (96, 126, 126), (64, 62, 62), (64, 30, 30), (128, 14, 14), (200,)]
    assert network.fc1.in_features == 6 * 6 * 128


def test_too_small_images_and_unknown_networks_are_usage_errors():
    with pytest.raises(UsageError, match="at least 32 px"):
        build_network("mislnet", 24)
    with pytest.raises(UsageError, match="Did you mean 'mislnet'"):
        build_network("mislnett", 64)
