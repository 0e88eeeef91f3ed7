"""Flow matching against the equations written out."""

from __future__ import annotations

import torch

from osbench.generation.families.latent_flow import LatentFlow

from .test_text_families import PROMPTS, SEEDS, make


def network() -> LatentFlow:
    made = make("latent_flow").double()
    assert isinstance(made, LatentFlow)
    return made


def test_sampling_is_eulers_method_with_guidance() -> None:
    flow = network()
    x = torch.from_numpy(flow.latents(SEEDS)).view(3, *flow.code_shape)
    bags = flow.bags(PROMPTS, 3).double()
    told, untold = flow.captions(bags), flow.captions.table[-1:].expand(3, -1)
    expected = x
    for k in range(4):
        time = torch.full((3,), k / 4, dtype=torch.float64)
        a, b = flow.network(expected, time, told), flow.network(expected, time, untold)
        expected = expected + (b + 3.0 * (a - b)) / 4
    torch.testing.assert_close(flow.denoise(x, bags, 4, 3.0), expected)
    plain = flow.denoise(x, bags, 1, 1.0)
    torch.testing.assert_close(plain, x + flow.network(x, torch.zeros(3, dtype=torch.float64), told))


def test_a_network_that_knows_the_velocity_has_no_loss_and_draws_the_picture() -> None:
    flow = network()
    codes = torch.randn(3, *flow.code_shape, dtype=torch.float64)
    flow.network = _Velocity(codes)
    bags = flow.bags(PROMPTS, 3).double()
    assert flow.loss(codes, bags) < 1e-12
    torch.testing.assert_close(flow.denoise(torch.randn_like(codes), bags, 5, 1.0), codes)


class _Velocity(torch.nn.Module):
    def __init__(self, codes: torch.Tensor) -> None:
        super().__init__()
        self.codes = codes

    def forward(self, x: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return (self.codes - x) / (1 - time[:, None, None, None])


def test_latents_are_standardised_and_come_back() -> None:
    flow = network()
    images = torch.randn(8, 3, 16, 16, dtype=torch.float64)
    before = flow.decode(flow.encode(images))
    codes = flow.standardise(flow.encode(images))
    torch.testing.assert_close(codes.mean((0, 2, 3)), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(codes.std((0, 2, 3)), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(flow.encode(images), codes)
    torch.testing.assert_close(flow.decode(codes), before)
