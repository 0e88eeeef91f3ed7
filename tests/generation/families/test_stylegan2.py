"""StyleGAN2: equality with the official network, and what every generator must keep."""

from __future__ import annotations

import json
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
from osbench.generation.families.stylegan2 import (
    StyleGAN2,
    SynthesisLayer,
    SynthesisOptions,
    fir_kernel,
    upsample_image,
)
from tests.fixtures.folder import CheckpointFixtures

from ...float64 import assert_equal_in_float64, assert_float32_of, in_float64

pytestmark = pytest.mark.numeric


def make(c_dim: int = 0, **synthesis: Any) -> StyleGAN2:
    torch.manual_seed(0)
    network = StyleGAN2(
        z_dim=8,
        c_dim=c_dim,
        w_dim=10,
        img_resolution=32,
        mapping_kwargs={"num_layers": 2},
        synthesis_kwargs={"channel_base": 128, "channel_max": 8, **synthesis},
    )
    for name, parameter in network.named_parameters():
        if "noise_strength" in name:  # starts at 0, which would hide the noise
            torch.nn.init.constant_(parameter, 0.3)
    torch.nn.init.normal_(network.mapping.w_avg)
    return network.eval()


@pytest.fixture
def official(checkpoint_fixtures: CheckpointFixtures) -> dict[str, np.ndarray]:
    return checkpoint_fixtures.arrays("sg2")


@pytest.fixture
def official_network(checkpoint_fixtures: CheckpointFixtures) -> StyleGAN2:
    network = load_generator(checkpoint_fixtures.pickle("sg2"), cache=False).network
    assert isinstance(network, StyleGAN2)
    return network


@pytest.mark.parametrize("psi", ["1", "0.7"])
def test_equals_official_outputs(official: dict[str, np.ndarray], official_network: StyleGAN2, psi: str) -> None:
    def synthesize(network: StyleGAN2) -> np.ndarray:
        return network.synthesize(official["z"], truncation_psi=float(psi))

    np.testing.assert_allclose(
        official[f"output_psi{psi}"], in_float64(official_network, synthesize), rtol=0, atol=1e-5
    )
    assert_float32_of(official_network, synthesize)
    images = synthesize(official_network)
    assert np.abs(official_network.to_uint8(images).astype(int) - official[f"uint8_psi{psi}"]).max() <= 1


def test_equals_official_without_noise(official: dict[str, np.ndarray], official_network: StyleGAN2) -> None:
    def synthesize(network: StyleGAN2) -> np.ndarray:
        return network.synthesize(official["z"], noise_mode="none")

    reference = in_float64(official_network, synthesize)
    np.testing.assert_allclose(official["output_noise_none_psi1"], reference, rtol=0, atol=1e-5)
    assert_float32_of(official_network, synthesize)


def test_official_precision_equals_official_half_precision(
    official: dict[str, np.ndarray], official_network: StyleGAN2
) -> None:
    network = StyleGAN2(**json.loads(str(official["init_kwargs"])), precision="official")
    state = {k[6:]: torch.from_numpy(v) for k, v in official.items() if k.startswith("param/")}
    network.load_state_dict({k: v for k, v in state.items() if "resample_filter" not in k})
    exact = in_float64(official_network, lambda wide: wide.synthesize(official["z"]))
    theirs = official["fp16_output_psi1"] - exact
    ours = network.synthesize(official["z"]) - exact
    # Both round to half precision at the same places: alike in the mean and at most. Which sums are rounded upwards is
    # the kernels' affair (some sum in half precision, some in float32), so no pixel has to be equal.
    assert 0.5 < np.sqrt(np.mean(ours**2)) / np.sqrt(np.mean(theirs**2)) < 2
    assert np.abs(ours).max() < 2 * np.abs(theirs).max()
    step = float(np.finfo(np.float16).eps) * float(np.abs(exact).max())
    assert np.abs(ours - theirs).max() < 2 * step


def test_precision_names_and_which_sides_it_touches() -> None:
    official = StyleGAN2(4, 0, 4, 32, precision="official", channel_base=64, num_fp16_res=2)
    blocks = [official.get_submodule(f"synthesis.b{side}").dtype for side in (4, 8, 16, 32)]
    assert blocks == [torch.float32, torch.float32, torch.float16, torch.float16]
    assert official.config["precision"] == "official"
    assert "precision" not in make().config
    with pytest.raises(UsageError, match="float32, official"):
        StyleGAN2(4, 0, 4, 32, precision="double")


def test_truncated_styles_equal_official(official: dict[str, np.ndarray], official_network: StyleGAN2) -> None:
    z = torch.from_numpy(official["z"])
    for cutoff, name in ((None, "w_psi0.7"), (3, "w_psi0.7_cutoff3")):

        def styles(network: StyleGAN2, cutoff: int | None = cutoff) -> torch.Tensor:
            return network.styles(z, None, 0.7, cutoff)

        np.testing.assert_allclose(official[name], in_float64(official_network, styles), rtol=0, atol=2e-6)
        assert_float32_of(official_network, styles)


@pytest.mark.parametrize("up", [False, True])
def test_layer_equals_modulated_weights_of_every_sample(up: bool) -> None:
    """The paper's own formulation (section 2.2): weights scaled and demodulated per sample, zero insertion, FIR."""
    torch.manual_seed(0)
    layer = SynthesisLayer(4, 6, 5, 8, SynthesisOptions(conv_clamp=0.9), up).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x, w = torch.randn(3, 4, 4 if up else 8, 4 if up else 8).double(), torch.randn(3, 5).double()
    got = layer(x, w, "const", None, 0.5)
    for i in range(3):
        style = w[i] @ layer.affine.weight.T / math.sqrt(5) + layer.affine.bias
        weight = layer.weight * style[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        y = x[i : i + 1]
        if up:
            spread = torch.zeros(1, 4, 8, 8).double()
            spread[:, :, ::2, ::2] = y
            y = F.conv2d(F.pad(spread, (2, 2, 2, 2)), weight.flip(2, 3))  # true convolution
            y = F.conv2d(y.flatten(0, 1)[:, None], fir_kernel((1, 3, 3, 1)).double()[None, None] * 4, padding=1)
            y = y.view(1, 6, *y.shape[2:])[:, :, :8, :8]
        else:
            y = F.conv2d(y, weight, padding=1)
        y = y + layer.noise_const * layer.noise_strength + layer.bias[None, :, None, None]
        y = (F.leaky_relu(y, 0.2) * math.sqrt(2) * 0.5).clamp(-0.45, 0.45)
        assert_equal_in_float64(got[i : i + 1], y)


def test_image_upsampling_is_zero_insertion_and_filter() -> None:
    torch.manual_seed(0)
    x, fir = torch.randn(2, 3, 5, 5).double(), fir_kernel((1, 3, 3, 1)).double()
    spread = torch.zeros(2, 3, 10, 10).double()
    spread[:, :, ::2, ::2] = x
    kernel = (fir * 4).expand(3, 1, 4, 4)
    expected = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel, groups=3)
    assert_equal_in_float64(upsample_image(x, fir), expected)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_architectures_save_load_and_train(tmp_path: Path, architecture: str, c_dim: int) -> None:
    network = make(c_dim, architecture=architecture)
    save_generator(network, tmp_path / "g.safetensors")
    again = load_safetensors_generator(tmp_path / "g.safetensors")
    assert again.config == network.config
    assert again.sample([1], [2] if c_dim else None).shape == (1, 32, 32, 3)
    network.train()
    c = torch.eye(3)[:2] if c_dim else None
    network(torch.randn(2, 8), c, noise_mode="random").square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_style_count_and_shared_colour_styles() -> None:
    assert make().styles(torch.zeros(1, 8)).shape == (1, 8, 10)  # 2 * log2(32) - 2


def test_classes_change_the_image_and_default_to_zeros() -> None:
    network = make(3)
    z = network.latents([0])
    images = [network.synthesize(z, c) for c in (np.eye(3)[:1], np.eye(3)[1:2], np.zeros((1, 3)))]
    assert np.abs(images[0] - images[1]).max() > 1e-3
    np.testing.assert_array_equal(images[2], network.synthesize(z))


@pytest.mark.parametrize("mode", ["const", "random", "none"])
def test_an_image_never_depends_on_its_batch(mode: Any) -> None:
    network = make()
    z = network.latents(range(3))
    together = in_float64(network, lambda wide: wide.synthesize(z, noise_mode=mode, seeds=[7, 8, 9]))
    alone = in_float64(network, lambda wide: wide.synthesize(z[1:2], noise_mode=mode, seeds=[8]))
    assert_equal_in_float64(together[1:2], alone)


def test_random_noise_is_drawn_in_layer_order_from_the_seed() -> None:
    network = make()
    z = network.latents([4])
    expected = network.synthesize(z, noise_mode="random", seeds=[2**63 + 5])  # masked to 63 bits
    generator = torch.Generator("cpu").manual_seed(5)
    for module in network.modules():
        if isinstance(module, SynthesisLayer):
            module.noise_const.copy_(torch.randn(module.noise_const.shape, generator=generator))
    np.testing.assert_array_equal(network.synthesize(z, noise_mode="const"), expected)


def test_training_moves_the_average() -> None:
    network = make().train()
    before = network.mapping.w_avg.clone()
    w = network.mapping(torch.randn(4, 8), None)
    torch.testing.assert_close(network.mapping.w_avg, before * 0.998 + w.detach().mean(0) * 0.002)


def test_both_keyword_forms_and_their_defaults() -> None:
    common: dict[str, Any] = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 8}
    flat = StyleGAN2(**common, channel_base=32, num_fp16_res=4, fused_modconv_default="inference_only")
    nested = StyleGAN2(**common, synthesis_kwargs={"channel_base": 32, "num_fp16_res": 4})
    assert flat.get_submodule("synthesis.b8.conv1").options.conv_clamp == 256  # type: ignore[union-attr]
    assert nested.get_submodule("synthesis.b8.conv1").options.conv_clamp is None  # type: ignore[union-attr]


@pytest.mark.parametrize("wrong", [{"architecture": "unet"}, {"activation": "selu"}, {"colour": 1}])
def test_unknown_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="StyleGAN2"):
        make(**wrong)


def test_official_size() -> None:
    with torch.device("meta"):
        network = StyleGAN2(512, 0, 512, 1024, synthesis_kwargs={"channel_base": 32768})
    assert sum(p.numel() for p in network.parameters()) == 30_370_060  # config F, noise strengths included


def test_uint8_truncates_and_saturates() -> None:
    values = np.array([-9, -1, -1 / 127.5 / 2, 0, 0.999, 1, 9], np.float32)
    pixels = make().to_uint8(np.tile(values, (1, 3, 1, 1)))
    assert pixels[0, 0, :, 0].tolist() == [0, 0, 127, 128, 255, 255, 255]
