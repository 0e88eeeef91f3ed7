from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osbench.core.errors import UsageError
from osbench.generation.families.autoencoder import Autoencoder, Levels


@pytest.mark.parametrize("doubling", ["nearest", "bilinear", "transposed"])
@pytest.mark.parametrize("channels", [[8, 8], [8, 16, 24], [8, 8, 8, 8]])
def test_sides_and_channels(doubling: str, channels: list[int]) -> None:
    autoencoder = Autoencoder(channels, latent=4, doubling=doubling)
    latents = autoencoder.encoder(torch.zeros(2, 3, 32, 32))
    side = 32 >> (len(channels) - 1)
    assert latents.shape == (2, 4, side, side)
    assert autoencoder.decoder(latents).shape == (2, 3, 32, 32)


def test_unknown_doubling() -> None:
    with pytest.raises(UsageError, match="unknown kind of doubling 'cubic'"):
        Autoencoder([8, 8], 4, "cubic")


@given(st.sampled_from([3, 5, 7]), st.lists(st.floats(-20, 20), min_size=1, max_size=20))
def test_levels_are_the_nearest_of_equal_steps(count: int, numbers: list[float]) -> None:
    x = torch.tensor(numbers, dtype=torch.float64)
    levels = torch.linspace(-1, 1, count, dtype=torch.float64)
    nearest = levels[(x.tanh()[:, None] - levels).abs().argmin(1)]
    found = Levels(count)(x)
    half_way = (x.tanh()[:, None] - levels).abs().sort(1).values.diff(dim=1)[:, 0] < 1e-9
    assert torch.allclose(found[~half_way], nearest[~half_way])


def test_gradients_pass_the_rounding() -> None:
    x = torch.tensor([0.3, -1.2], requires_grad=True)
    Levels(5)(x).sum().backward()
    torch.testing.assert_close(x.grad, 1 - x.detach().tanh().square())


@pytest.mark.parametrize("count", [1, 4])
def test_an_even_number_of_levels_has_no_middle(count: int) -> None:
    with pytest.raises(UsageError, match="must be odd"):
        Levels(count)
