"""ProGAN: equality with the reference outputs, and what every generator must keep."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from osbench.core.errors import UsageError
from osbench.generation import load_generator
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.families.equalized import EqualizedConv2d, EqualizedLinear, EqualizedUpConv2d, pixel_norm
from osbench.generation.families.progan import ProGAN
from tests.fixtures.folder import CheckpointFixtures

from ...float64 import assert_equal_in_float64, assert_float32_of, in_float64

pytestmark = pytest.mark.numeric


@pytest.fixture
def small() -> ProGAN:
    torch.manual_seed(0)
    return ProGAN(resolution=16, z_dim=8, channels=[8, 6, 4])


def literal(network: ProGAN, z: torch.Tensor) -> torch.Tensor:
    """The paper's network, one step after the other, in float64."""
    p = {name: tensor.double() for name, tensor in network.state_dict().items()}

    def norm(x: torch.Tensor) -> torch.Tensor:
        return x / (x.pow(2).mean(1, keepdim=True) + 1e-8).sqrt()

    def block(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        scale = math.sqrt(2 / weight[0].numel())
        x = F.conv2d(F.pad(x, (1, 1, 1, 1)), weight * scale) + bias[None, :, None, None]
        return norm(torch.where(x > 0, x, 0.2 * x))

    x = norm(z.double()) @ p["dense.weight"].T * (math.sqrt(2) / 4 / math.sqrt(z.shape[1]))
    x = x.reshape(len(z), -1, 4, 4) + p["dense.bias"][None, :, None, None]
    x = norm(torch.where(x > 0, x, 0.2 * x))
    x = block(x, p["conv.weight"], p["conv_bias"])
    for i in range(len(network.blocks)):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = block(x, p[f"blocks.{i}.conv0.weight"], p[f"blocks.{i}.bias0"])
        x = block(x, p[f"blocks.{i}.conv1.weight"], p[f"blocks.{i}.bias1"])
    weight = p["to_rgb.weight"]
    return F.conv2d(x, weight / math.sqrt(weight.shape[1])) + p["rgb_bias"][None, :, None, None]


def test_equals_reference_outputs(checkpoint_fixtures: CheckpointFixtures) -> None:
    data = checkpoint_fixtures.arrays("pggan")
    generator = load_generator(checkpoint_fixtures.pickle("pggan"), cache=False)

    def synthesize(network: Any) -> np.ndarray:
        return network.synthesize(data["z"])

    np.testing.assert_allclose(data["output"], in_float64(generator.network, synthesize), rtol=0, atol=1e-4)
    assert_float32_of(generator.network, synthesize)
    images = generator.synthesize(data["z"])
    assert np.abs(generator.to_uint8(images).astype(int) - data["uint8"]).max() <= 1


def test_equals_literal_transcription(small: ProGAN) -> None:
    for parameter in small.parameters():
        torch.nn.init.normal_(parameter)
    z = torch.from_numpy(small.latents([3, 4]))
    assert_equal_in_float64(in_float64(small, lambda network: network(z)), literal(small, z))
    assert_float32_of(small, lambda network: network(z))


def test_config_rebuilds_the_network(small: ProGAN, tmp_path: Path) -> None:
    save_generator(small, tmp_path / "g.safetensors")
    again = load_safetensors_generator(tmp_path / "g.safetensors")
    assert again.config == small.config
    assert again.sample([1, 2]).shape == (2, 16, 16, 3)


def test_an_image_never_depends_on_its_batch(small: ProGAN) -> None:
    z = small.latents(range(4))
    together = in_float64(small, lambda network: network.synthesize(z))
    assert_equal_in_float64(in_float64(small, lambda network: network.synthesize(z[2:3])), together[2:3])


def test_gradients_reach_every_parameter(small: ProGAN) -> None:
    small(torch.randn(2, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in small.parameters())


def test_upsampling_convolution_is_doubling_then_convolution() -> None:
    torch.manual_seed(0)
    layer = EqualizedUpConv2d(5, 7, 3).double()
    x = torch.randn(2, 5, 6, 6, dtype=torch.float64)
    doubled = F.interpolate(x, scale_factor=2, mode="nearest")
    assert_equal_in_float64(layer(x), F.conv2d(doubled, layer.weight * layer.scale, padding=1))


def test_fused_tensorflow_kernel_is_the_plain_one_flipped() -> None:
    # G_paper's fused layer: pad by 1, add the four shifted copies, transposed convolution of stride 2.
    torch.manual_seed(0)
    plain = EqualizedUpConv2d(3, 4, 3).double()
    fused = (plain.weight * plain.scale).detach().flip(2, 3).transpose(0, 1)
    box = F.pad(fused, (1, 1, 1, 1))
    box = box[:, :, 1:, 1:] + box[:, :, :-1, 1:] + box[:, :, 1:, :-1] + box[:, :, :-1, :-1]
    x = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    literal_rows = torch.zeros(1, 4, 12, 12, dtype=torch.float64)
    for row in range(5):  # every input pixel paints its 4x4 kernel at twice its position
        for column in range(5):
            patch = torch.einsum("i,iokl->okl", x[0, :, row, column], box)
            literal_rows[0, :, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += patch
    assert_equal_in_float64(plain(x), literal_rows[:, :, 1:-1, 1:-1])


def test_equalised_layers_keep_unit_variance() -> None:
    torch.manual_seed(0)
    x = torch.randn(4000, 64)
    assert EqualizedLinear(64, 32)(x).std().item() == pytest.approx(1, abs=0.1)
    assert EqualizedLinear(64, 32, gain=math.sqrt(2), lr_multiplier=0.01)(x).std().item() == pytest.approx(
        1.41, abs=0.1
    )
    maps = EqualizedConv2d(32, 16, 3)(torch.randn(8, 32, 16, 16))[:, :, 1:-1, 1:-1]
    assert maps.std().item() == pytest.approx(math.sqrt(2), abs=0.1)


def test_learning_rate_multiplier_keeps_function_and_divides_steps() -> None:
    torch.manual_seed(0)
    slow = EqualizedLinear(8, 8, lr_multiplier=0.01).double()
    fast = EqualizedLinear(8, 8).double()
    fast.weight.data = slow.weight.data * 0.01
    x = torch.randn(3, 8, dtype=torch.float64)
    torch.testing.assert_close(slow(x), fast(x))
    slow(x).sum().backward()
    fast(x).sum().backward()
    assert slow.weight.grad is not None
    assert fast.weight.grad is not None
    torch.testing.assert_close(slow.weight.grad, fast.weight.grad * 0.01)


def test_pixel_norm_gives_unit_mean_square() -> None:
    x = torch.randn(2, 9, 3, 3, dtype=torch.float64) * 7
    torch.testing.assert_close(pixel_norm(x).square().mean(1), torch.ones(2, 3, 3).double(), atol=1e-6, rtol=0)


def test_truncation_is_refused_where_there_is_none(small: ProGAN) -> None:
    with pytest.raises(UsageError, match="no truncation"):
        small.synthesize(small.latents([0]), truncation_psi=0.7)


@pytest.mark.parametrize(("resolution", "channels"), [(4, [4]), (12, [4, 4]), (16, [4, 4])])
def test_impossible_shapes_are_refused(resolution: int, channels: list[int]) -> None:
    with pytest.raises(UsageError, match="power of two"):
        ProGAN(resolution, 8, channels)


@given(st.floats(-3, 3, width=32))
def test_uint8_rounds_to_nearest_and_saturates(value: float) -> None:
    converted = ProGAN(8, 2, [2, 2]).to_uint8(np.full((1, 3, 1, 1), value, np.float32))
    expected = min(max(round(float(np.float32(value) * np.float32(127.5) + np.float32(127.5))), 0), 255)
    assert converted.shape == (1, 1, 1, 3)
    assert converted.ravel().tolist() == [expected] * 3


def test_uint8_on_ties() -> None:
    ties = np.array([[[[0.0]], [[1 / 127.5]], [[2 / 127.5]]]], np.float32)  # 127.5, 128.5, 129.5: half to even
    assert ProGAN(8, 2, [2, 2]).to_uint8(ties).ravel().tolist() == [128, 128, 130]
