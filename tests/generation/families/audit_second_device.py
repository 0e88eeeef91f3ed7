"""Every family makes the same images on another device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osbench.generation.families import Generator, families, save_generator
from osbench.generation.families.base import NoiseMode, load_safetensors_generator
from osbench.generation.families.latent_diffusion import LatentDiffusion
from osbench.generation.families.progan import ProGAN
from osbench.generation.families.stylegan2 import StyleGAN2
from tests.second_device import register

from . import (
    test_latent_diffusion,
    test_projected_gan,
    test_stylegan,
    test_stylegan2,
    test_stylegan3,
    test_taming,
    test_text_families,
)
from .rendering import test_renderers

DEVICE = register()
SEEDS = [3, 2**40 + 1, 7]

MAKE: dict[str, Callable[[], Generator]] = {
    "progan": lambda: ProGAN(resolution=16, z_dim=8, channels=[8, 6, 4]),
    "stylegan": test_stylegan.make,
    "stylegan2": test_stylegan2.make,
    "stylegan2 with classes": lambda: test_stylegan2.make(c_dim=3),
    "stylegan2 official": lambda: StyleGAN2(8, 0, 8, 32, precision="official", channel_base=64, num_fp16_res=2),
    "stylegan3-t": lambda: test_stylegan3.small("t"),
    "stylegan3-r": lambda: test_stylegan3.small("r"),
    "projected_gan": test_projected_gan.small,
    "projected_gan lite": lambda: test_projected_gan.small("lite"),
    "taming": lambda: test_taming.small(top_k=5, top_p=0.9),
    "taming with classes": lambda: test_taming.small(classes=3),
    "latent_diffusion": test_latent_diffusion.small,
    "latent_diffusion with classes": lambda: test_latent_diffusion.small(classes=3, guidance=2.0),
    **{name: partial(test_text_families.make, name) for name in test_text_families.MAKE},
}


def test_no_family_is_forgotten() -> None:
    made = {make().family for make in MAKE.values()} | set(test_renderers.CONFIGS)
    assert set(families()) - made == {"diffusers"}, "the pipeline is tested with a folder, below"


@pytest.mark.parametrize(
    ("name", "noise_mode"),
    [(name, "const") for name in MAKE]
    + [(name, "random") for name in MAKE if name.startswith(("stylegan", "proj", "text_gan"))],
)
def test_same_images(name: str, noise_mode: str, tmp_path: Path) -> None:
    network = MAKE[name]()
    labels = [0, 1, 2] if network.c_dim else None
    options: dict[str, Any] = {"truncation_psi": 1.0 if name == "progan" else 0.7, "noise_mode": noise_mode}
    options |= {"prompts": test_text_families.PROMPTS} if network.text_conditioned else {}
    here = network.sample(SEEDS, labels, **options)
    there = network.to(DEVICE).sample(SEEDS, labels, **options)
    assert here.std() > 0
    assert here.dtype == there.dtype == np.uint8
    np.testing.assert_array_equal(here, there)
    if noise_mode == "const":
        save_generator(network, tmp_path / "weights.safetensors")
        assert {p.device.type for p in network.parameters()} == {DEVICE.type}
        assert load_safetensors_generator(tmp_path / "weights.safetensors").family == network.family


@pytest.mark.parametrize("noise_mode", ["random", "none"])
@pytest.mark.parametrize("name", test_renderers.CONFIGS)
def test_same_renderings(name: str, noise_mode: NoiseMode) -> None:
    network, codes = test_renderers.renderer(name), test_renderers.codes(len(SEEDS))
    here = network.sample(SEEDS, noise_mode=noise_mode, codes=codes)
    there = network.to(DEVICE).sample(SEEDS, noise_mode=noise_mode, codes=codes)
    assert here.std() > 0
    assert np.abs(here.astype(int) - there).max() <= 1  # attention is summed in another order


def test_gradients_reach_the_latents() -> None:
    network = test_stylegan2.make().to(DEVICE)
    z = torch.randn(2, network.z_dim, device=DEVICE, requires_grad=True)
    network(z, noise_mode="random").square().mean().backward()
    assert z.grad is not None
    assert z.grad.abs().sum() > 0


def test_encoding_and_decoding() -> None:
    network: LatentDiffusion = test_latent_diffusion.small().to(DEVICE)
    with torch.no_grad():
        latents = network.encode(torch.rand(2, 3, network.resolution, network.resolution, device=DEVICE))
    assert latents.device.type == DEVICE.type
