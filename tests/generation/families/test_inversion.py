"""Where pictures can be sought: codes of every latent space give back the picture of their latent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from osbench.generation.families import Generator
from osbench.generation.families.progan import ProGAN
from osbench.generation.families.projected_gan import ProjectedGAN
from osbench.generation.families.stylegan import StyleGAN
from osbench.generation.families.stylegan2 import StyleGAN2
from osbench.generation.families.stylegan3 import StyleGAN3
from osbench.generation.families.text_gan import TextGAN

pytestmark = pytest.mark.numeric


def gans() -> list[Generator]:
    torch.manual_seed(0)
    three: dict[str, Any] = {"channel_base": 64, "channel_max": 8, "num_layers": 4, "num_critical": 1, "margin_size": 4}
    found: Sequence[Generator] = (
        ProGAN(16, 4, [8, 8, 8]),
        ProjectedGAN(4, 16, channels=[8, 8, 8]),
        StyleGAN(16, 4, 4, [8, 8, 8]),
        StyleGAN2(4, 0, 4, 16, channel_base=64, channel_max=8),
        StyleGAN3(4, 0, 4, 16, **three),
        TextGAN(16, "cat dog", 4, 4, 4, 4, {"num_layers": 1}, {"channel_base": 64, "channel_max": 8}),
    )
    for gan in found:
        gan.eval().requires_grad_(False)
        for parameter in gan.parameters():  # some begin at zero, and nothing would depend on them
            parameter.add_(0.1 * torch.randn_like(parameter))
    return list(found)


GANS = gans()
SPACES = [(gan, space) for gan in GANS for space in gan.latent_spaces]


@pytest.mark.parametrize(("gan", "space"), SPACES, ids=[f"{gan.family} {space}" for gan, space in SPACES])
def test_codes_give_the_picture_of_their_latent(gan: Generator, space: str) -> None:
    z = torch.randn(2, gan.z_dim, generator=torch.Generator().manual_seed(1))
    codes = gan.to_space(z, space)
    pictures = gan.from_space(codes, space, seeds=[5, 5])
    torch.testing.assert_close(pictures, gan(z, seeds=[5, 5]))
    codes = codes.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(gan.from_space(codes, space, seeds=[5, 5]).square().sum(), codes)
    assert gradient.shape == codes.shape
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("gan", [g for g in GANS if "w+" in g.latent_spaces], ids=lambda gan: gan.family)
def test_the_widest_space_has_a_style_for_each_layer(gan: Generator) -> None:
    z = torch.randn(1, gan.z_dim, generator=torch.Generator().manual_seed(1))
    whole = gan.to_space(z, "w+")
    assert whole.ndim == 3
    before = gan.from_space(whole, "w+", seeds=[5])
    for layer in range(whole.shape[1]):
        moved = whole.clone()
        moved[:, layer] += 1
        assert not torch.equal(gan.from_space(moved, "w+", seeds=[5]), before)
