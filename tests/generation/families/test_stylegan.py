"""StyleGAN: equality with the reference outputs, and what every generator must keep."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from osbench.core.errors import UsageError
from osbench.generation import load_generator
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.families.stylegan import Epilogue, StyleGAN
from tests.fixtures.folder import CheckpointFixtures

from ...float64 import assert_equal_in_float64, assert_float32_of, in_float64

pytestmark = pytest.mark.numeric


def make(resolution: int = 32) -> StyleGAN:
    torch.manual_seed(0)
    widths = [8, 8, 6, 4, 4][: int(math.log2(resolution)) - 1]
    network = StyleGAN(resolution, z_dim=8, w_dim=10, channels=widths, mapping_layers=3)
    for name, parameter in network.named_parameters():
        if "noise_weight" in name:  # starts at 0, which would hide the noise
            torch.nn.init.normal_(parameter, std=0.3)
    torch.nn.init.normal_(network.w_avg)
    return network.eval()


@pytest.fixture
def small() -> StyleGAN:
    return make()


@pytest.mark.parametrize("psi", ["1", "0.7"])
def test_equals_reference_outputs(checkpoint_fixtures: CheckpointFixtures, psi: str) -> None:
    data = checkpoint_fixtures.arrays("stylegan1")
    generator = load_generator(checkpoint_fixtures.pickle("stylegan1"), cache=False)

    def synthesize(network: Any) -> np.ndarray:
        return network.synthesize(data["z"][:1], truncation_psi=float(psi))

    reference = in_float64(generator.network, synthesize)
    np.testing.assert_allclose(data[f"output_const_psi{psi}"], reference, rtol=0, atol=1e-4)
    assert_float32_of(generator.network, synthesize)
    images = generator.synthesize(data["z"][:1], truncation_psi=float(psi))
    assert np.abs(generator.to_uint8(images).astype(int) - data[f"uint8_const_psi{psi}"]).max() <= 1


def test_mapping_equals_reference(checkpoint_fixtures: CheckpointFixtures) -> None:
    data = checkpoint_fixtures.arrays("stylegan1")
    network = load_generator(checkpoint_fixtures.pickle("stylegan1"), cache=False).network
    assert isinstance(network, StyleGAN)

    def styles(network: StyleGAN) -> torch.Tensor:
        return network.mapping_network(torch.from_numpy(data["z"]))

    np.testing.assert_allclose(data["w"], in_float64(network, styles), rtol=0, atol=1e-5)
    assert_float32_of(network, styles)


def test_official_size() -> None:
    with torch.device("meta"):
        widths = [min(16384 // (4 << i), 512) for i in range(9)]
        network = StyleGAN(1024, 512, 512, widths)
    # The published total counts the colour layers of the eight smaller resolutions too, which are never used.
    unused = sum(3 * width + 3 for width in widths[:-1])
    assert sum(p.numel() for p in network.parameters()) + unused == 26_219_627


def test_epilogue_order_is_noise_bias_activation_norm_style() -> None:
    torch.manual_seed(0)
    layer = Epilogue(3, 5, 4).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x, w = torch.randn(2, 3, 4, 4).double(), torch.randn(2, 5).double()
    p = dict(layer.named_parameters())
    y = x + layer.noise_const * p["noise_weight"][:, None, None] + p["bias"][:, None, None]
    y = F.instance_norm(F.leaky_relu(y, 0.2), eps=1e-8)
    style = w @ p["style.weight"].T / math.sqrt(5) + p["style.bias"]
    y = y * (style[:, :3, None, None] + 1) + style[:, 3:, None, None]
    assert_equal_in_float64(layer(x, w, layer.noise_const), y)


def test_config_rebuilds_the_network(small: StyleGAN, tmp_path: Path) -> None:
    save_generator(small, tmp_path / "g.safetensors")
    again = load_safetensors_generator(tmp_path / "g.safetensors")
    assert again.config == small.config
    assert again.sample([5]).shape == (1, 32, 32, 3)


@pytest.mark.parametrize("mode", ["const", "random", "none"])
def test_an_image_never_depends_on_its_batch(small: StyleGAN, mode: Any) -> None:
    z = small.latents(range(3))
    together = in_float64(small, lambda network: network.synthesize(z, noise_mode=mode, seeds=[7, 8, 9]))
    alone = in_float64(small, lambda network: network.synthesize(z[1:2], noise_mode=mode, seeds=[8]))
    assert_equal_in_float64(together[1:2], alone)


def test_noise_modes_differ_and_random_noise_follows_its_seed(small: StyleGAN) -> None:
    z = small.latents([1])
    images = [small.synthesize(z, noise_mode="random", seeds=[s]) for s in (1, 2, 2**63 - 1)]
    images += [small.synthesize(z, noise_mode="const"), small.synthesize(z, noise_mode="none")]
    for i, a in enumerate(images):
        for b in images[:i]:
            assert np.abs(a - b).max() > 1e-3
    np.testing.assert_array_equal(images[0], small.synthesize(z, noise_mode="random", seeds=[1]))


def test_random_noise_is_drawn_in_layer_order_from_the_seed(small: StyleGAN) -> None:
    epilogues = [m for m in small.modules() if isinstance(m, Epilogue)]
    z = small.latents([4])
    expected = small.synthesize(z, noise_mode="random", seeds=[11])
    generator = torch.Generator("cpu").manual_seed(11)
    for epilogue in epilogues:
        epilogue.noise_const.copy_(torch.randn(epilogue.noise_const.shape, generator=generator))
    np.testing.assert_array_equal(small.synthesize(z, noise_mode="const"), expected)


def test_truncation_pulls_the_first_styles_only(small: StyleGAN) -> None:
    z = torch.from_numpy(small.latents([1, 2]))
    full, cut = small.mapping(z), small.mapping(z, 0.7, truncation_cutoff=5)
    torch.testing.assert_close(cut[:, 5:], full[:, 5:])
    torch.testing.assert_close(cut[:, :5], small.w_avg + 0.7 * (full[:, :5] - small.w_avg))
    torch.testing.assert_close(small.mapping(z, 0.0, None), small.w_avg.expand_as(full))


def test_training_moves_the_average_and_reaches_every_parameter(small: StyleGAN) -> None:
    small.train()
    before = small.w_avg.clone()
    small(torch.randn(4, 8), noise_mode="random").square().mean().backward()
    assert not torch.equal(before, small.w_avg)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in small.parameters())


def test_uint8_truncates_and_saturates(small: StyleGAN) -> None:
    values = np.array([-9, -1, -1 / 127.5 / 2, 0, 0.999, 1, 9], np.float32)
    pixels = small.to_uint8(np.tile(values, (1, 3, 1, 1)))
    assert pixels[0, 0, :, 0].tolist() == [0, 0, 127, 128, 255, 255, 255]


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="power of two"):
        StyleGAN(24, 8, 8, [4, 4])
