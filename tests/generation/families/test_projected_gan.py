"""Projected GAN: equality with the official network, and what every generator must keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from osbench.core.errors import UsageError
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.families.projected_gan import ProjectedGAN, UpBlock, fold_spectral_norm
from tests.fixtures.folder import CheckpointFixtures

from ...float64 import assert_equal_in_float64, assert_float32_of, in_float64

pytestmark = pytest.mark.numeric


def small(blocks: str = "big") -> ProjectedGAN:
    torch.manual_seed(0)
    generator = ProjectedGAN(z_dim=8, img_resolution=64, channels=[8, 8, 6, 4, 4], blocks=blocks)
    for name, parameter in generator.named_parameters():
        if parameter.shape == (1,):  # noise strengths start at 0, which would hide the noise
            torch.nn.init.constant_(parameter, 0.3)
        assert name.startswith("synthesis.")
    return generator


@pytest.fixture(scope="module")
def official(checkpoint_fixtures: CheckpointFixtures) -> dict[str, np.ndarray]:
    return checkpoint_fixtures.arrays("fastgan")


@pytest.fixture(scope="module")
def official_generator(official: dict[str, np.ndarray]) -> ProjectedGAN:
    keywords = json.loads(str(official["init_kwargs"]))
    state = {k[6:]: torch.from_numpy(v) for k, v in official.items() if k.startswith("param/")}
    # Upstream registers blocks above its own resolution (256 for a 128 net) and never runs them.
    state = {k: v for k, v in fold_spectral_norm(state).items() if "_256." not in k}
    generator = ProjectedGAN(z_dim=keywords["z_dim"], img_resolution=keywords["img_resolution"], ngf=keywords["ngf"])
    generator.load_state_dict(state, strict=True)
    return generator.eval()


# The reference outputs are of float32, made on one processor, and reach 12: one part in a hundred thousand of that.
TOLERANCE = 1.2e-4


def test_equals_official_with_noise(official_generator: ProjectedGAN, official: dict[str, np.ndarray]) -> None:
    def synthesize(network: ProjectedGAN) -> np.ndarray:
        return network.synthesize(official["z"], seeds=official["seeds"].tolist())

    images = in_float64(official_generator, synthesize)
    # torch draws normal numbers in float32 by Box and Muller: one whose radius is nearly 0 keeps few digits, and these
    # differ between instruction sets. Such a draw moves the pixels around it.
    apart = np.abs(official["output_torchseed_eq_seed"] - images)
    assert np.mean(apart > TOLERANCE) < 0.05
    assert apart.max() < 40 * TOLERANCE
    assert np.abs(images - official["output_noise_zeroed"]).max() > 100 * TOLERANCE
    assert_float32_of(official_generator, synthesize)


def test_equals_official_without_noise(official_generator: ProjectedGAN, official: dict[str, np.ndarray]) -> None:
    def synthesize(network: ProjectedGAN) -> np.ndarray:
        return network.synthesize(official["z"], noise_mode="none")

    images = in_float64(official_generator, synthesize)
    np.testing.assert_allclose(official["output_noise_zeroed"], images, atol=TOLERANCE, rtol=0)
    assert_float32_of(official_generator, synthesize)


@pytest.mark.parametrize("layer", ["conv", "transposed"])
def test_folding_equals_torch_spectral_norm(layer: str) -> None:
    module = (torch.nn.Conv2d(3, 5, 3) if layer == "conv" else torch.nn.ConvTranspose2d(4, 4, 4)).double()
    torch.manual_seed(1)
    torch.nn.init.normal_(module.weight)
    name = "feat_8.1" if layer == "conv" else "init.init.0"
    x = torch.randn(2, module.in_channels, 6, 6).double()
    normalised = torch.nn.utils.spectral_norm(module)
    for _ in range(2):
        normalised(x)
    expected = normalised.eval()(x)
    state = {f"{name}.{k}": v for k, v in module.state_dict().items()}
    state |= {f"{name}.weight": torch.zeros(1), "untouched.weight": torch.ones(2)}
    folded = fold_spectral_norm(state)
    assert set(folded) == {f"{name}.weight", f"{name}.bias", "untouched.weight"}
    convolve = F.conv2d if layer == "conv" else F.conv_transpose2d
    assert_equal_in_float64(convolve(x, folded[f"{name}.weight"], folded[f"{name}.bias"]), expected)


@pytest.mark.parametrize("big", [True, False])
def test_up_block_equals_its_children_in_order(big: bool) -> None:
    torch.manual_seed(2)
    block = UpBlock(4, 3, big).eval()
    x = torch.randn(2, 4, 5, 5)
    expected = x
    for layer in block:
        if not list(layer.parameters()) or isinstance(layer, torch.nn.Conv2d | torch.nn.BatchNorm2d):
            expected = layer(expected)  # noise strengths are still 0
    torch.testing.assert_close(block(x, None), expected)


def test_official_sizes_and_names() -> None:
    with torch.device("meta"):
        generator = ProjectedGAN()
    assert sum(p.numel() for p in generator.parameters()) == 105_684_175
    names = set(generator.state_dict())
    assert {"synthesis.feat_256.5.weight", "synthesis.se_256.main.3.weight", "synthesis.to_big.bias"} <= names
    assert not any("se_32" in n for n in names)


@pytest.mark.parametrize("blocks", ["big", "lite"])
def test_images_do_not_depend_on_their_batch(blocks: str) -> None:
    generator = small(blocks)
    seeds = [5, 2**63 + 11, 7]

    def images(network: ProjectedGAN, seeds: list[int]) -> np.ndarray:
        return network.synthesize(network.latents(seeds), seeds=seeds)

    together = in_float64(generator, lambda wide: images(wide, seeds))
    for i, seed in enumerate(seeds):
        assert_equal_in_float64(in_float64(generator, lambda wide, s=seed: images(wide, [s])), together[i : i + 1])
    np.testing.assert_array_equal(images(generator, seeds), images(generator, seeds))


def test_noise_modes() -> None:
    generator = small().eval()
    z = torch.randn(2, 8)
    assert torch.equal(generator(z, seeds=[1, 2]), generator(z, noise_mode="random", seeds=[1, 2]))
    assert not torch.allclose(generator(z, seeds=[1, 2]), generator(z, seeds=[1, 3]))
    assert not torch.allclose(generator(z), generator(z))
    assert torch.equal(generator(z, noise_mode="none"), generator(z, noise_mode="none", seeds=[1, 2]))


@pytest.mark.parametrize("blocks", ["big", "lite"])
def test_every_parameter_receives_a_gradient(blocks: str) -> None:
    generator = small(blocks).train()
    z = torch.randn(4, 8, requires_grad=True)
    generator(z).square().mean().backward()
    for name, parameter in [("z", z), *generator.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_mixed_blocks_and_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = ProjectedGAN(z_dim=8, img_resolution=32, ngf=2, blocks=["big", "lite", "big"])
    names = set(generator.state_dict())
    assert "synthesis.feat_8.5.weight" in names
    assert "synthesis.feat_16.5.weight" not in names
    generator.half().float()
    save_generator(generator, tmp_path / "g.safetensors")
    loaded = load_safetensors_generator(tmp_path / "g.safetensors")
    assert loaded.config == generator.config == json.loads(json.dumps(generator.config))
    np.testing.assert_array_equal(loaded.sample([1, 2]), generator.sample([1, 2]))


def test_bad_configs_are_refused() -> None:
    refused: list[dict[str, Any]] = [
        {"img_resolution": 96},
        {"img_resolution": 8},
        {"blocks": "huge"},
        {"channels": [4, 4]},
    ]
    for keywords in refused:
        with pytest.raises(UsageError):
            ProjectedGAN(**keywords)


def test_uint8_rule_truncates() -> None:
    levels = np.array([-9.0, -1.0, -128 / 127.5, -0.0001, 0.0, 0.5 / 127.5, 0.99 / 127.5, 1 / 127.5, 1.0, 9.0])
    images = np.tile(levels.astype(np.float32), (1, 3, 1, 1)).reshape(1, 3, 1, 10)
    pixels = small().to_uint8(images)
    assert pixels.shape == (1, 1, 10, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0, :, 0].tolist() == [0, 0, 0, 127, 128, 128, 128, 129, 255, 255]
