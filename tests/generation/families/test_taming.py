"""Taming: equality with the official transformer, the official VQGAN written out as an oracle, and sampling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from osbench.core.errors import UsageError
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.families.taming import (
    TamingTransformer,
    build_gpt,
    build_vqgan,
    gpt2_from_mingpt,
    next_token_probabilities,
    vqmodel_from_taming,
)
from tests.fixtures.folder import CheckpointFixtures

from ...float64 import assert_equal_in_float64, assert_float32_of, computed_in_float64, in_float64, widened

pytestmark = pytest.mark.numeric

VQGAN: dict[str, Any] = {
    "resolution": 16,
    "n_embed": 20,
    "embed_dim": 6,
    "z_channels": 12,
    "ch": 8,
    "ch_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [4],
    "norm_num_groups": 4,
}
GPT: dict[str, Any] = {"vocab_size": 24, "block_size": 16, "n_layer": 2, "n_head": 2, "n_embd": 16}


def small(**keywords: Any) -> TamingTransformer:
    torch.manual_seed(0)
    generator = TamingTransformer(VQGAN, GPT, **keywords)
    torch.nn.init.normal_(generator.vqgan.quantize.embedding.weight)
    torch.nn.init.normal_(generator.transformer.lm_head.weight, std=0.3)
    return generator.eval()


@pytest.fixture(scope="module")
def official(checkpoint_fixtures: CheckpointFixtures) -> dict[str, np.ndarray]:
    return checkpoint_fixtures.arrays("taming")


@pytest.fixture(scope="module")
def official_gpt(official: dict[str, np.ndarray]) -> torch.nn.Module:
    prefix = "param/transformer."
    state = {k.removeprefix(prefix): torch.from_numpy(v).float() for k, v in official.items() if k.startswith(prefix)}
    state["blocks.0.attn.mask"] = torch.ones(1, 1, 16, 16)  # upstream stores its causal masks
    network = build_gpt(**json.loads(str(official["transformer_config"])))
    network.load_state_dict(gpt2_from_mingpt(state), strict=True)
    return network.eval()


def test_logits_equal_official(official_gpt: Any, official: dict[str, np.ndarray]) -> None:
    def logits(network: Any) -> Tensor:
        return network(input_ids=torch.from_numpy(official["full_tokens"])).logits

    np.testing.assert_allclose(official["logits"], in_float64(official_gpt, logits), rtol=0, atol=1e-5)
    assert_float32_of(official_gpt, logits)


@pytest.mark.parametrize(
    ("key", "top_k", "top_p", "temperature"),
    [
        ("tokens_k8_t1_seed11", 8, 1.0, 1.0),
        ("tokens_k12_p092_t09_seed11", 12, 0.92, 0.9),
        ("tokens_greedy", 1, 1.0, 1.0),
    ],
)
def test_sampled_tokens_equal_official(
    official_gpt: Any, official: dict[str, np.ndarray], key: str, top_k: int, top_p: float, temperature: float
) -> None:
    """As upstream: the whole batch from the global generator; ours differs only in using one per image."""
    # In float64: the same draws on every processor, as no probability is where its kernels put it.
    official_gpt = widened(official_gpt)
    torch.manual_seed(11)
    sequence = torch.from_numpy(official["cond"])
    for _ in range(official[key].shape[1]):
        with torch.no_grad():
            logits = official_gpt(input_ids=sequence).logits[:, -1]
        drawn = torch.multinomial(next_token_probabilities(logits, temperature, top_k, top_p), 1)
        sequence = torch.cat([sequence, drawn], 1)
    np.testing.assert_array_equal(sequence[:, 1:], official[key])


class UpstreamVQGAN:
    """Upstream's encoder and decoder written out, on lazily drawn parameters under upstream's names."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config, self.state = config, {}
        self.random = torch.Generator().manual_seed(0)

    def parameter(self, name: str, *shape: int) -> Tensor:
        scale = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.3
        drawn = torch.randn(*shape, generator=self.random).double() * scale
        return self.state.setdefault(name, drawn)

    def conv(self, name: str, x: Tensor, out: int, k: int, stride: int = 1, padding: int | None = None) -> Tensor:
        weight = self.parameter(f"{name}.weight", out, x.shape[1], k, k)
        return F.conv2d(x, weight, self.parameter(f"{name}.bias", out), stride, k // 2 if padding is None else padding)

    def norm(self, name: str, x: Tensor) -> Tensor:
        c = x.shape[1]
        weight, bias = self.parameter(f"{name}.weight", c), self.parameter(f"{name}.bias", c)
        return F.group_norm(x, self.config["norm_num_groups"], weight, bias, 1e-6)

    def resnet(self, name: str, x: Tensor, out: int) -> Tensor:
        h = self.conv(f"{name}.conv1", F.silu(self.norm(f"{name}.norm1", x)), out, 3)
        h = self.conv(f"{name}.conv2", F.silu(self.norm(f"{name}.norm2", h)), out, 3)
        return h + (x if x.shape[1] == out else self.conv(f"{name}.nin_shortcut", x, out, 1))

    def attention(self, name: str, x: Tensor) -> Tensor:
        h = self.norm(f"{name}.norm", x)
        q, k, v = (self.conv(f"{name}.{p}", h, x.shape[1], 1).flatten(2) for p in "qkv")
        weights = (q.transpose(1, 2) @ k / np.sqrt(x.shape[1])).softmax(-1)
        h = (v @ weights.transpose(1, 2)).view_as(x)
        return x + self.conv(f"{name}.proj_out", h, x.shape[1], 1)

    def middle(self, name: str, x: Tensor) -> Tensor:
        x = self.attention(f"{name}.attn_1", self.resnet(f"{name}.block_1", x, x.shape[1]))
        return self.resnet(f"{name}.block_2", x, x.shape[1])

    def level(self, name: str, x: Tensor, out: int, blocks: int) -> Tensor:
        for b in range(blocks):
            x = self.resnet(f"{name}.block.{b}", x, out)
            if x.shape[2] in self.config["attn_resolutions"]:
                x = self.attention(f"{name}.attn.{b}", x)
        return x

    def encode(self, x: Tensor) -> Tensor:
        config, last = self.config, len(self.config["ch_mult"]) - 1
        x = self.conv("encoder.conv_in", x, config["ch"], 3)
        for i, multiplier in enumerate(config["ch_mult"]):
            x = self.level(f"encoder.down.{i}", x, config["ch"] * multiplier, config["num_res_blocks"])
            if i < last:
                x = self.conv(f"encoder.down.{i}.downsample.conv", F.pad(x, (0, 1, 0, 1)), x.shape[1], 3, 2, 0)
        x = F.silu(self.norm("encoder.norm_out", self.middle("encoder.mid", x)))
        return self.conv(
            "quant_conv", self.conv("encoder.conv_out", x, config["z_channels"], 3), config["embed_dim"], 1
        )

    def quantize(self, x: Tensor) -> Tensor:
        book = self.parameter("quantize.embedding.weight", self.config["n_embed"], self.config["embed_dim"])
        distances = (x.permute(0, 2, 3, 1)[..., None, :] - book).square().sum(-1)
        return distances.argmin(-1).flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        config, top = self.config, len(self.config["ch_mult"]) - 1
        x = self.conv("post_quant_conv", codes, config["z_channels"], 1)
        x = self.conv("decoder.conv_in", x, config["ch"] * config["ch_mult"][-1], 3)
        x = self.middle("decoder.mid", x)
        for i in range(top, -1, -1):
            x = self.level(f"decoder.up.{i}", x, config["ch"] * config["ch_mult"][i], config["num_res_blocks"] + 1)
            if i:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
                x = self.conv(f"decoder.up.{i}.upsample.conv", x, x.shape[1], 3)
        return self.conv("decoder.conv_out", F.silu(self.norm("decoder.norm_out", x)), 3, 3)


@pytest.mark.parametrize("attention", [[4], [8, 4], []])
def test_vqgan_equals_upstreams_design_through_the_key_map(attention: list[int]) -> None:
    config = {**VQGAN, "attn_resolutions": attention}
    upstream = UpstreamVQGAN(config)
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(5)).double()
    ids = upstream.quantize(upstream.encode(images))
    codes = upstream.state["quantize.embedding.weight"][ids].view(2, 4, 4, 6).permute(0, 3, 1, 2)
    expected = upstream.decode(codes)
    generator = TamingTransformer(config, GPT).eval().double()
    state = {**upstream.state, "loss.discriminator.main.0.weight": torch.zeros(1)}
    generator.vqgan.load_state_dict(vqmodel_from_taming(state), strict=True)
    assert len(ids.unique()) >= 3
    torch.testing.assert_close(generator.encode(images), ids)
    with torch.no_grad():
        assert_equal_in_float64(generator.decode(ids), expected)
        assert_equal_in_float64(generator.reconstruct(images)[0], expected)


def test_official_parameter_counts() -> None:
    def count(network: torch.nn.Module) -> int:
        return sum(p.numel() for p in network.parameters())

    with torch.device("meta"):
        gpt = build_gpt(vocab_size=1024, block_size=256, n_layer=24, n_head=16, n_embd=1664)
        faces = {"resolution": 256, "ch": 128, "ch_mult": [1, 1, 2, 2, 4], "attn_resolutions": [16]}
        vqgan = build_vqgan(**faces, n_embed=1024, embed_dim=256, z_channels=256)
    assert count(gpt) == 801_798_400
    assert count(vqgan.decoder) == 42_449_795


def slow_probabilities(row: list[float], temperature: float, top_k: int | None, top_p: float) -> np.ndarray:
    logits = np.array(row) / temperature
    kth = -np.inf if top_k is None else sorted(logits)[::-1][min(top_k, len(row)) - 1]
    kept = [i for i in range(len(row)) if logits[i] >= kth]
    weights = {i: np.exp(logits[i] - logits.max()) for i in kept}
    total, mass, nucleus = sum(weights.values()), 0.0, []
    for i in sorted(kept, key=lambda i: -logits[i]):
        if nucleus and mass > top_p:
            break
        nucleus.append(i)
        mass += weights[i] / total
    result = np.zeros(len(row))
    for i in nucleus:
        result[i] = weights[i] / sum(weights[j] for j in nucleus)
    return result


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(-40, 40), min_size=2, max_size=8, unique=True),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from([None, 1, 3, 50]),
    st.sampled_from([0.05, 0.5, 0.9, 1.0]),
)
def test_filter_equals_its_definition(levels: list[int], temperature: float, top_k: int | None, top_p: float) -> None:
    row = [level / 7 for level in levels]
    probabilities = next_token_probabilities(torch.tensor([row], dtype=torch.float64), temperature, top_k, top_p)
    np.testing.assert_allclose(probabilities[0], slow_probabilities(row, temperature, top_k, top_p), atol=1e-9)


@computed_in_float64()
def test_cached_sampling_equals_uncached_and_ignores_the_batch() -> None:
    generator = widened(small(top_k=10, top_p=0.9, temperature=0.8))
    seeds = [3, 2**63 + 5, 8]
    drawn = generator.draw_tokens(seeds)
    assert drawn.shape == (3, 16)
    for i, seed in enumerate(seeds):
        assert torch.equal(drawn[i : i + 1], generator.draw_tokens([seed]))
        random = torch.Generator().manual_seed(seed & (2**63 - 1))
        sequence = torch.zeros(1, 1, dtype=torch.long)
        for _ in range(16):
            with torch.no_grad():
                logits = generator.transformer(input_ids=sequence, use_cache=False).logits[:, -1]
            chosen = torch.multinomial(next_token_probabilities(logits, 0.8, 10, 0.9)[0], 1, generator=random)
            sequence = torch.cat([sequence, chosen[None]], 1)
        assert torch.equal(sequence[:, 1:], drawn[i : i + 1])
    images = generator.sample(seeds)
    np.testing.assert_array_equal(images, generator.sample(seeds))
    assert (images[0] != images[1]).any()
    one = in_float64(generator, lambda wide: wide.synthesize(wide.latents([8]), seeds=[8]))
    together = in_float64(generator, lambda wide: wide.synthesize(wide.latents(seeds), seeds=seeds))
    assert_equal_in_float64(together[2:3], one)


def test_logits_are_causal_and_start_at_the_class() -> None:
    generator = small(classes=3)
    tokens = torch.randint(0, 20, (2, 16), generator=torch.Generator().manual_seed(0))
    classes = torch.eye(3)[[1, 2]]
    changed = tokens.clone()
    changed[:, 10] = (changed[:, 10] + 1) % 20
    with torch.no_grad():
        a, b = generator.logits(tokens, classes), generator.logits(changed, classes)
        other = generator.logits(tokens, torch.eye(3)[[0, 0]])
        first = generator.transformer(input_ids=torch.tensor([[1], [2]])).logits
    torch.testing.assert_close(a[:, :11], b[:, :11])
    assert not torch.allclose(a[:, 11:], b[:, 11:])
    assert not torch.allclose(a, other)
    torch.testing.assert_close(a[:, :1], first)
    with pytest.raises(UsageError, match="class"):
        generator.logits(tokens)


def test_both_stages_train() -> None:
    generator = small().train()
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    decoded, loss = generator.reconstruct(images)
    ((decoded - images).abs().mean() + loss).backward()
    ids = generator.encode(images)
    F.cross_entropy(generator.logits(ids).flatten(0, 1), ids.flatten()).backward()
    assert not ids.is_floating_point()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A bias on the keys shifts every score alike, so its gradient is zero by the design of attention.
        assert parameter.grad.any() or name.endswith("to_k.bias"), name


def test_round_trip_and_errors(tmp_path: Path) -> None:
    generator = small(top_k=5).half().float()
    save_generator(generator, tmp_path / "g.safetensors")
    loaded = load_safetensors_generator(tmp_path / "g.safetensors")
    assert loaded.config == generator.config == json.loads(json.dumps(generator.config))
    np.testing.assert_array_equal(loaded.sample([1, 2]), generator.sample([1, 2]))
    assert generator.latents([1, 2]).shape == (2, 0)
    with pytest.raises(UsageError, match="seed"):
        generator.synthesize(generator.latents([1, 2]))
    with pytest.raises(UsageError, match="block_size"):
        TamingTransformer(VQGAN, {**GPT, "block_size": 12})
    with pytest.raises(UsageError, match="vocab_size"):
        TamingTransformer(VQGAN, {**GPT, "vocab_size": 19})


def test_codes_beyond_the_codebook_still_decode() -> None:
    generator = small()
    tokens = torch.full((1, 16), 23)
    assert torch.equal(generator.decode(tokens), generator.decode(torch.full((1, 16), 19)))


def test_uint8_rule_truncates_without_the_half() -> None:
    levels = np.array([-9.0, -1.0, -0.5, 0.0, 1 / 255, 0.999, 1.0, 9.0], np.float32)
    pixels = small().to_uint8(np.tile(levels, (1, 3, 1, 1)).reshape(1, 3, 1, 8))
    assert pixels.dtype == np.uint8
    assert pixels[0, 0, :, 1].tolist() == [0, 0, 63, 127, 128, 254, 255, 255]
