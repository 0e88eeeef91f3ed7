"""Prediction of the clean picture against the equations written out."""

from __future__ import annotations

import torch

from osbench.generation.families.pixel_diffusion import PixelDiffusion

from .test_text_families import PROMPTS, SEEDS, make


def network() -> PixelDiffusion:
    made = make("pixel_diffusion").double()
    assert isinstance(made, PixelDiffusion)
    return made


def test_sampling_is_eulers_method_on_the_velocity_that_the_picture_means() -> None:
    diffusion = network()
    x = torch.from_numpy(diffusion.latents(SEEDS)).view(3, 3, 16, 16)
    bags = diffusion.bags(PROMPTS, 3).double()
    told, untold = diffusion.captions(bags), diffusion.captions.table[-1:].expand(3, -1)
    expected = x
    for k in range(4):
        time = torch.full((3,), k / 4, dtype=torch.float64)
        a, b = diffusion.network(expected, time, told), diffusion.network(expected, time, untold)
        velocity = (b + 2.0 * (a - b) - expected) / (1 - k / 4)
        expected = expected + velocity / 4
    torch.testing.assert_close(diffusion.denoise(x, bags, 4, 2.0), expected)


def test_a_network_that_knows_the_picture_has_no_loss_and_draws_it() -> None:
    diffusion = network()
    pictures = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    diffusion.network = _Knows(pictures)
    bags = diffusion.bags(PROMPTS, 3).double()
    assert diffusion.loss(pictures, bags) < 1e-12
    torch.testing.assert_close(diffusion.denoise(torch.randn_like(pictures), bags, 5, 1.0), pictures)


class _Knows(torch.nn.Module):
    def __init__(self, pictures: torch.Tensor) -> None:
        super().__init__()
        self.pictures = pictures

    def forward(self, x: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.pictures


def test_the_loss_counts_the_velocity() -> None:
    diffusion = network()
    pictures = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    diffusion.network = _Knows(pictures + 0.1)
    torch.manual_seed(5)
    found = diffusion.loss(pictures, diffusion.bags(PROMPTS[:2], 2).double())
    torch.manual_seed(5)
    time = torch.sigmoid(0.8 * torch.randn(2) - 0.8)
    expected = sum((0.1 / max(1 - float(t), 0.05)) ** 2 for t in time) / 2
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=0.0)
