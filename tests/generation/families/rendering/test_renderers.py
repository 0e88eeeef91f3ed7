"""Every renderer: from codes to pictures, one by one, and back from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.core.errors import UsageError
from osbench.generation.families import families, family_class, load_safetensors_generator, save_generator
from osbench.generation.families.rendering import Renderer
from osbench.generation.families.rendering.base import code_statistics

CONFIGS: dict[str, dict[str, Any]] = {
    "progan-renderer": {"channels": [8, 8, 6, 4]},
    "stylegan-renderer": {"channels": [8, 8, 6, 4], "w_dim": 8},
    "stylegan2-renderer": {"channel_base": 256, "channel_max": 8, "w_dim": 8},
    "stylegan3-renderer": {"channel_base": 128, "channel_max": 6, "w_dim": 8},
    "projected_gan-renderer": {"channels": [6, 8, 6, 4, 4], "blocks": ["big", "lite", "big"]},
    "taming-renderer": {"ch": 8, "ch_mult": [1, 1, 1, 1], "z_channels": 4, "norm_num_groups": 4},
    "latent_diffusion-renderer": {"latent_channels": 4, "width": 8, "blocks": [1, 1, 1]},
}
NOISY = ("stylegan-renderer", "stylegan2-renderer", "projected_gan-renderer")


def renderer(family: str, seed: int = 0) -> Renderer:
    """A small one, its noise (if it has any) loud enough to be seen."""
    torch.manual_seed(seed)
    network = family_class(family)(**CONFIGS[family])
    assert isinstance(network, Renderer)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "noise" in name or (family.startswith("projected") and parameter.numel() == 1):
                parameter.fill_(0.5)
            if name.startswith(("to_big", "decoder.conv_out", "decoder.layers")):
                parameter.mul_(3)
    return network


def codes(count: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 16, 8, 8)).astype(np.float32)


def test_every_registered_renderer_is_here() -> None:
    assert {name for name in families() if issubclass(family_class(name), Renderer)} == set(CONFIGS)


@pytest.mark.parametrize("family", CONFIGS)
def test_its_pictures(family: str) -> None:
    pictures = renderer(family).sample([1, 2, 3], codes=codes())
    assert (pictures.shape, pictures.dtype) == ((3, 64, 64, 3), np.uint8)
    assert pictures.std() > 1


@pytest.mark.parametrize("family", CONFIGS)
def test_a_picture_does_not_depend_on_its_neighbours(family: str) -> None:
    network = renderer(family)
    together = network.sample([1, 2, 3], codes=codes())
    alone = network.sample([2], codes=codes()[1:2])
    assert np.abs(together[1].astype(int) - alone[0]).max() <= 1


@pytest.mark.parametrize("family", CONFIGS)
def test_the_seed_is_noise_and_nothing_else(family: str) -> None:
    network = renderer(family)
    same, other = (network.sample([seed] * 3, codes=codes()) for seed in (1, 2))
    silent = [network.sample([seed] * 3, codes=codes(), noise_mode="none") for seed in (1, 2)]
    assert (same != other).any() == (family in NOISY)
    np.testing.assert_array_equal(silent[0], silent[1])


@pytest.mark.parametrize("family", CONFIGS)
def test_other_codes_give_other_pictures_in_place(family: str) -> None:
    """A changed block changes the picture there more than at the other end (norms over the picture reach all of it)."""
    network = renderer(family)
    changed = codes(1)
    changed[:, :, 0, 0] += 3
    made = [network.synthesize(c.reshape(1, -1), noise_mode="none") for c in (changed, codes(1))]
    step = np.abs(made[0] - made[1])[0].mean(0)
    assert step[:16, :16].mean() > 1.4 * step[-24:, -24:].mean()


@pytest.mark.parametrize("family", CONFIGS)
def test_its_file(family: str, tmp_path: Path) -> None:
    network = renderer(family)
    save_generator(network, tmp_path / "weights.safetensors")
    read = load_safetensors_generator(tmp_path / "weights.safetensors")
    assert read.config == network.config
    assert isinstance(read, Renderer)
    step = read.sample([5], codes=codes(1)).astype(int) - network.sample([5], codes=codes(1))
    assert np.abs(step).mean() < 1  # float16 weights


@pytest.mark.parametrize("family", CONFIGS)
def test_training_and_evaluation_compute_the_same(family: str) -> None:
    """Whatever is arranged differently while training: batch norm in evaluation mode, all else in training mode."""
    network = renderer(family)
    z = torch.from_numpy(codes()).flatten(1)
    with torch.no_grad():
        network.train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
            if hasattr(module, "magnitude_ema_beta"):
                module.magnitude_ema_beta = 1.0  # type: ignore[assignment]
        training = network(z, noise_mode="none")
        evaluation = network.eval()(z, noise_mode="none")
    torch.testing.assert_close(training, evaluation, rtol=1e-3, atol=1e-3 * float(evaluation.abs().max()))


def test_bad_requests() -> None:
    network = renderer("progan-renderer")
    with pytest.raises(UsageError, match="one code for each of the 2 images"):
        network.sample([1, 2], codes=codes(1))
    with pytest.raises(UsageError, match="one code for each"):
        network.sample([1])
    with pytest.raises(UsageError, match="no constant noise"):
        network.sample([1], codes=codes(1), noise_mode="const")
    with pytest.raises(UsageError, match="needs the codes of pictures"):
        network.latents([1])


def test_code_statistics_are_means_and_deviations() -> None:
    values = torch.from_numpy(codes(2))
    found = code_statistics(values)
    assert found.shape == (2, 32)
    assert found[1, 3].item() == pytest.approx(np.mean(codes(2)[1, 3]), abs=1e-6)
    assert found[1, 16 + 3].item() == pytest.approx(np.std(codes(2)[1, 3]), rel=1e-3)


def test_one_conversion_for_all() -> None:
    """Half a level would tell families apart."""
    values = np.linspace(-1.2, 1.2, 48, dtype=np.float32).reshape(1, 3, 4, 4)
    converted = [family_class(name).to_uint8(renderer(name), values) for name in ("progan-renderer", "taming-renderer")]
    np.testing.assert_array_equal(converted[0], converted[1])
    expected = np.clip(np.rint(np.float64(values) * 127.5 + 127.5), 0, 255).transpose(0, 2, 3, 1)
    assert np.abs(converted[0] - expected).max() <= 1
