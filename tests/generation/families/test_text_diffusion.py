"""DDIM on a cosine schedule against the equations written out."""

from __future__ import annotations

import math

import pytest
import torch

from osbench.generation.families.text_diffusion import LAST, TextDiffusion, UNet

from .test_text_families import PROMPTS, SEEDS, make


def network() -> TextDiffusion:
    made = make("text_diffusion").double()
    assert isinstance(made, TextDiffusion)
    return made


def test_sampling_is_ddim() -> None:
    """Song et al. (ICLR 2021), equation 12 with sigma 0, from the noise that the velocity means."""
    diffusion = network()
    x = torch.from_numpy(diffusion.latents(SEEDS)).view(3, *diffusion.code_shape)
    bags = diffusion.bags(PROMPTS, 3).double()
    told, untold = diffusion.captions(bags), diffusion.captions.table[-1:].expand(3, -1)
    expected = x
    for k in range(4):
        time, later = LAST * (1 - k / 4), LAST * (1 - (k + 1) / 4)
        times = torch.full((3,), time, dtype=torch.float64)
        a, b = diffusion.network(expected, times, told), diffusion.network(expected, times, untold)
        velocity = b + 2.0 * (a - b)
        alpha, alpha_later = math.cos(math.pi / 2 * time) ** 2, math.cos(math.pi / 2 * later) ** 2
        noise = math.sqrt(1 - alpha) * expected + math.sqrt(alpha) * velocity
        clean = (expected - math.sqrt(1 - alpha) * noise) / math.sqrt(alpha)
        expected = math.sqrt(alpha_later) * clean + math.sqrt(1 - alpha_later) * noise
    torch.testing.assert_close(diffusion.denoise(x, bags, 4, 2.0), expected, rtol=1e-6, atol=1e-6)


def test_a_network_that_knows_the_latents_has_no_loss_and_draws_them() -> None:
    diffusion = network()
    codes = torch.randn(3, *diffusion.code_shape, dtype=torch.float64)
    diffusion.network = _Velocity(codes)
    bags = diffusion.bags(PROMPTS, 3).double()
    assert diffusion.loss(codes, bags) < 1e-10
    torch.testing.assert_close(diffusion.denoise(torch.randn_like(codes), bags, 6, 1.0), codes)


class _Velocity(torch.nn.Module):
    def __init__(self, codes: torch.Tensor) -> None:
        super().__init__()
        self.codes = codes

    def forward(self, x: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        angle = time.double()[:, None, None, None] * (math.pi / 2)
        noise = (x - angle.cos() * self.codes) / angle.sin()
        return angle.cos() * noise - angle.sin() * self.codes


@pytest.mark.parametrize("widths", [[8], [8, 16], [8, 16, 24]])
def test_the_unet_keeps_the_shape(widths: list[int]) -> None:
    unet = UNet(4, 8, widths, condition=8, heads=2)
    assert unet(torch.zeros(2, 4, 8, 8), torch.zeros(2), torch.zeros(2, 8)).shape == (2, 4, 8, 8)
