"""Codes, their numbers, and the cache of the sampling against a network that sees everything at once."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osbench.core.errors import UsageError
from osbench.generation.families.noise import image_generator
from osbench.generation.families.token_transformer import Draughtsman, TokenTransformer

from .test_text_families import PROMPTS, SEEDS, make


def network() -> TokenTransformer:
    made = make("token_transformer")
    assert isinstance(made, TokenTransformer)
    return made


@given(st.sampled_from([3, 5]), st.sampled_from([2, 4, 8]), st.integers(0, 2**32))
def test_tokens_and_values_are_inverse(levels: int, numbers: int, seed: int) -> None:
    draughtsman = Draughtsman(numbers, levels, 4, 8, 1, 2)
    tokens = torch.randint(levels ** (numbers // 2), (2, 4, 2), generator=torch.Generator().manual_seed(seed))
    values = draughtsman.values(tokens)
    assert values.shape == (2, 4, numbers)
    assert values.abs().max() <= 1
    assert torch.equal(draughtsman.tokens(values), tokens)


def test_encoding_and_decoding_is_reconstruction() -> None:
    transformer = network()
    images = torch.randn(2, 3, 16, 16)
    tokens = transformer.encode(images)
    assert tokens.shape == (2, 16, 2)
    assert 0 <= tokens.min() <= tokens.max() < 3**2
    torch.testing.assert_close(transformer.decode(tokens), transformer.reconstruct(images))


def test_a_position_sees_only_what_came_before() -> None:
    transformer = network()
    values = transformer.network.values(transformer.encode(torch.randn(1, 3, 16, 16)))
    condition = transformer.captions(transformer.captions.bags(["cat"]))
    hidden = transformer.network(values, condition)
    changed = values.clone()
    changed[:, 7] = -changed[:, 7] + 0.5
    again = transformer.network(changed, condition)
    assert torch.equal(hidden[:, :8], again[:, :8])
    assert not torch.allclose(hidden[:, 8:], again[:, 8:])


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_the_cache_changes_nothing(guidance: float) -> None:
    """The whole sequence is computed anew for every position, with and without a caption."""
    transformer = network().double()
    bags = transformer.bags(PROMPTS, 3).double()
    found = transformer.draw_tokens(SEEDS, bags, guidance, 0.7)
    generators = [image_generator(seed) for seed in SEEDS]
    net, told = transformer.network, transformer.captions(bags)
    untold = transformer.captions.table[-1:].expand(3, -1)

    def drawn(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        chances = ((b + guidance * (a - b)).float() / 0.7).softmax(-1)
        return torch.cat([torch.multinomial(p, 1, generator=g) for p, g in zip(chances, generators, strict=True)])

    tokens = torch.zeros(3, 16, 2, dtype=torch.int64)
    for position in range(16):
        values = net.values(tokens)
        a, b = net(values, told)[:, position], net(values, untold)[:, position]
        first = drawn(net.first(a), net.first(b))
        half = net.values(torch.stack([first, first], -1))[:, : net.digits]
        second = drawn(net.second(a + net.told(half)), net.second(b + net.told(half)))
        tokens[:, position] = torch.stack([first, second], -1)
    assert torch.equal(found, tokens)


def test_the_loss_is_the_mean_cross_entropy() -> None:
    transformer = network()
    tokens = transformer.encode(torch.randn(2, 3, 16, 16))
    bags = transformer.bags(PROMPTS[:2], 2)
    hidden = transformer.network(transformer.network.values(tokens), transformer.captions(bags))
    total = 0.0
    for i in range(2):
        for t in range(16):
            first, second = tokens[i, t]
            total -= transformer.network.first(hidden[i, t]).log_softmax(-1)[first].item()
            total -= transformer.network.second_logits(hidden[i, t], first).log_softmax(-1)[second].item()
    assert transformer.loss(tokens, bags).item() == pytest.approx(total / 64, rel=1e-5)


def test_seeds_are_needed() -> None:
    with pytest.raises(UsageError, match="give one seed for every image"):
        network()(torch.zeros(2, 0), prompts=["cat", "dog"])
