"""StyleGAN3: equality with the official network, and literal transcriptions of its layers as oracles."""

from __future__ import annotations

import json
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from osbench.core.errors import UsageError
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.families.stylegan3 import (
    StyleGAN3,
    SynthesisInput,
    SynthesisLayer,
    downsample_fir,
    filter_matrix,
    layer_table,
    lowpass_filter,
    upsample_fir,
)
from tests.fixtures.folder import CheckpointFixtures

from ...float64 import assert_equal_in_float64, assert_float32_of, in_float64

pytestmark = pytest.mark.numeric

SMALL: dict[str, Any] = {
    "z_dim": 8,
    "w_dim": 8,
    "img_resolution": 32,
    "channel_base": 128,
    "channel_max": 8,
    "num_layers": 6,
}
R = {"conv_kernel": 1, "use_radial_filters": True}
CONFIGS = {"t": {**SMALL, "margin_size": 4}, "r": {**SMALL, **R, "margin_size": 6, "conv_clamp": None}}


def small(kind: str = "t", **keywords: object) -> StyleGAN3:
    torch.manual_seed(0)
    return StyleGAN3(**{**CONFIGS[kind], **keywords})


@pytest.fixture(scope="module")
def official(checkpoint_fixtures: CheckpointFixtures) -> dict[str, np.ndarray]:
    return checkpoint_fixtures.arrays("sg3")


@pytest.fixture(scope="module")
def official_generator(official: dict[str, np.ndarray]) -> StyleGAN3:
    generator = StyleGAN3(**json.loads(str(official["init_kwargs"])))
    state = {k[6:]: torch.from_numpy(np.array(v)) for k, v in official.items() if k.startswith("param/")}
    for name, buffer in generator.named_buffers():
        if name.endswith("_filter"):
            torch.testing.assert_close(buffer, state[name], atol=1e-7, rtol=0)  # made by NumPy and SciPy in float64
    generator.load_state_dict(state, strict=True)
    return generator.eval()


@pytest.mark.parametrize("psi", [1, 0.7])
def test_equals_official(official_generator: StyleGAN3, official: dict[str, np.ndarray], psi: float) -> None:
    def synthesize(network: StyleGAN3) -> np.ndarray:
        return network.synthesize(official["z"], truncation_psi=psi)

    reference = in_float64(official_generator, synthesize)
    np.testing.assert_allclose(official[f"output_psi{psi}"], reference, rtol=0, atol=3e-6)
    assert_float32_of(official_generator, synthesize)
    np.testing.assert_array_equal(official_generator.to_uint8(reference), official[f"uint8_psi{psi}"])


def test_truncated_w_equals_official(official_generator: StyleGAN3, official: dict[str, np.ndarray]) -> None:
    def styles(network: StyleGAN3) -> torch.Tensor:
        return network.mapping.w_avg.lerp(network.mapping(torch.from_numpy(official["z"]), None), 0.7)

    reference = in_float64(official_generator, styles)
    for i in range(official["w_psi0.7"].shape[1]):
        np.testing.assert_allclose(official["w_psi0.7"][:, i], reference, rtol=0, atol=2e-6)
    assert_float32_of(official_generator, styles)


def zero_insertion_fir(
    x: torch.Tensor, f: torch.Tensor | None, up: int, down: int, pad: tuple[int, int], gain: float
) -> torch.Tensor:
    """The definition: insert zeros, pad or crop, full 2-D true convolution, subsample."""
    n, c, h, w = x.shape
    stuffed = x.new_zeros(n, c, h * up, w * up)
    stuffed[:, :, ::up, ::up] = x
    stuffed = F.pad(stuffed, [*pad, *pad])
    kernel = torch.ones(1, 1) if f is None else f if f.ndim == 2 else torch.outer(f, f)
    kernel = (kernel * gain).flip([0, 1]).to(x)
    out = F.conv2d(stuffed.flatten(0, 1)[:, None], kernel[None, None])
    return out.view(n, c, *out.shape[2:])[:, :, ::down, ::down]


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(3, 12),
    up=st.integers(1, 4),
    taps=st.integers(1, 12),
    low=st.integers(-6, 15),
    high=st.integers(-6, 15),
    seed=st.integers(0, 99),
)
def test_upsampling_equals_zero_insertion(size: int, up: int, taps: int, low: int, high: int, seed: int) -> None:
    assume(size * up + low + high - taps + 1 >= 1)
    assume(size * up + min(low, 0) + min(high, 0) >= 1)  # cut away more than there is: the reference cannot
    torch.manual_seed(seed)
    x, f = torch.randn(2, 3, size, size, dtype=torch.float64), torch.randn(taps, dtype=torch.float64)
    expected = zero_insertion_fir(x, f, up, 1, (low, high), up**2)
    torch.testing.assert_close(upsample_fir(x, f, up, (low, high)), expected)


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(6, 20),
    down=st.integers(1, 4),
    taps=st.integers(1, 6),
    radial=st.booleans(),
    seed=st.integers(0, 99),
)
def test_downsampling_equals_convolve_and_skip(size: int, down: int, taps: int, radial: bool, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    f = torch.randn(*[taps] * (1 + radial), dtype=torch.float64)
    expected = zero_insertion_fir(x, f, 1, down, (0, 0), 1.7)
    torch.testing.assert_close(downsample_fir(x, f, down, gain=1.7), expected)


def test_missing_filters_pass_through() -> None:
    x = torch.randn(1, 2, 6, 6)
    assert upsample_fir(x, None, 1, (0, 0)) is x
    torch.testing.assert_close(upsample_fir(x, None, 1, (1, -2)), F.pad(x, [1, -2, 1, -2]))
    torch.testing.assert_close(downsample_fir(x, None, 2, gain=3.0), x[:, :, ::2, ::2] * 3)


def test_lowpass_filters() -> None:
    assert lowpass_filter(1, 2, 1, 16) is None
    flat = lowpass_filter(12, 2, 4, 16)
    radial = lowpass_filter(12, 2, 4, 16, radial=True)
    assert flat is not None
    assert radial is not None
    assert flat.shape == (12,)
    assert radial.shape == (12, 12)
    for f in (flat, radial):
        assert f.dtype == torch.float32
        assert f.sum().item() == pytest.approx(1, abs=1e-6)
        torch.testing.assert_close(f, f.flip(list(range(f.ndim))))
    torch.testing.assert_close(radial, radial.t())
    # a low-pass filter: unit gain at 0, half at the cutoff, little at the stopband's far end
    response = np.abs(np.fft.rfft(flat.numpy(), 1600))
    frequencies = np.fft.rfftfreq(1600, 1 / 16)
    assert response[0] == pytest.approx(1, abs=1e-6)
    assert response[np.argmin(abs(frequencies - 2))] == pytest.approx(0.5, abs=0.05)
    assert response[frequencies > 5].max() < 0.03


def test_layer_table_of_the_published_1024_networks() -> None:
    bands = layer_table(1024, channel_base=65536, channel_max=1024)
    names = [f"L{i}_{b.size}_{b.channels}" for i, b in enumerate(bands)]
    assert " ".join(names) == (
        "L0_36_1024 L1_36_1024 L2_52_1024 L3_52_1024 L4_84_1024 L5_148_1024 L6_148_1024 L7_276_645 L8_276_406 "
        "L9_532_256 L10_1044_161 L11_1044_102 L12_1044_64 L13_1024_64 L14_1024_3"
    )
    halved = layer_table(1024)
    assert all(abs(2 * half.channels - full.channels) <= 1 for half, full in zip(halved[:-1], bands[:-1], strict=True))


@given(st.sampled_from([32, 64, 128, 256, 512]), st.integers(4, 16), st.integers(1, 3), st.integers(0, 12))
def test_layer_table_grows_monotonically(resolution: int, num_layers: int, critical: int, margin: int) -> None:
    bands = layer_table(resolution, num_layers=num_layers, num_critical=critical, margin_size=margin)
    assert len(bands) == num_layers + 1
    assert bands[-1].channels == 3
    assert bands[-1].size == bands[-2].size == resolution
    assert bands[0].cutoff == 2
    assert bands[-1].cutoff == pytest.approx(resolution / 2)
    for a, b in pairwise(bands):
        assert a.cutoff <= b.cutoff
        assert a.rate <= b.rate <= resolution
        assert b.rate / a.rate <= 2 or num_layers < 9
        assert a.half_width > 0


def test_official_parameter_counts() -> None:
    counts = []
    with torch.device("meta"), mock.patch("osbench.generation.families.stylegan3.lowpass_filter", return_value=None):
        for keywords in ({}, {**R, "channel_base": 65536, "channel_max": 1024}):
            network = StyleGAN3(img_resolution=512, **keywords)
            counts.append(sum(p.numel() for p in network.parameters()))
    assert counts == [24_873_519, 16_665_594]


def literal_layer(layer: SynthesisLayer, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The paper's layer written out: one weight tensor per sample, batch-normalised styles, zero insertion."""
    n, (_, i, k, _) = len(x), layer.weight.shape
    styles = layer.affine(w)
    weight = layer.weight
    if layer.is_torgb:
        styles = styles / sqrt(i * k * k)
    else:
        weight = weight * weight.square().mean([1, 2, 3], keepdim=True).rsqrt()
        styles = styles * styles.square().mean().rsqrt()
    weights = weight[None] * styles[:, None, :, None, None]
    if not layer.is_torgb:
        weights = weights * (weights.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
    weights = weights * layer.magnitude_ema.rsqrt()
    x = torch.cat([F.conv2d(x[s : s + 1], weights[s], padding=k - 1) for s in range(n)])
    x = x + layer.bias[:, None, None]
    x = zero_insertion_fir(x, layer.up_filter, layer.up, 1, layer.pad, layer.up**2)
    x = x if layer.is_torgb else F.leaky_relu(x, 0.2) * sqrt(2)
    if layer.conv_clamp is not None:
        x = x.clamp(-layer.conv_clamp, layer.conv_clamp)
    return zero_insertion_fir(x, layer.down_filter, 1, layer.down, (0, 0), 1)


@pytest.mark.parametrize("kind", ["t", "r"])
@pytest.mark.parametrize("clamp", [256, 0.8])
def test_layers_equal_their_literal_form(kind: str, clamp: float) -> None:
    generator = small(kind, conv_clamp=clamp).double().eval()
    torch.manual_seed(3)
    w = torch.randn(3, 8, dtype=torch.float64)
    x = generator.synthesis.input(w)
    for name in generator.synthesis.layer_names:
        layer = generator.synthesis.get_submodule(name)
        assert isinstance(layer, SynthesisLayer)
        layer.magnitude_ema.fill_(0.7)
        torch.nn.init.normal_(layer.bias)
        out = layer(x, w)
        torch.testing.assert_close(out, literal_layer(layer, x, w))
        assert out.shape[2] == int(name.split("_")[1])
        x = out


def test_input_equals_sines_on_a_transformed_grid() -> None:
    torch.manual_seed(4)
    layer = SynthesisInput(w_dim=6, channels=5, size=12, rate=8.0, bandwidth=2.0).double()
    torch.nn.init.normal_(layer.affine.weight)
    layer.transform.copy_(torch.tensor([[0.8, -0.6, 0.1], [0.6, 0.8, -0.3], [0, 0, 1]]))
    w = torch.randn(2, 6, dtype=torch.float64)
    t = layer.affine(w)
    t = t / t[:, :2].norm(dim=1, keepdim=True)
    expected = torch.zeros(2, 12, 12, 5, dtype=torch.float64)
    for n in range(2):
        c, s, tx, ty = t[n].tolist()
        rotate = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
        move = torch.tensor([[1, 0, -tx], [0, 1, -ty], [0, 0, 1]], dtype=torch.float64)
        m = rotate @ move @ layer.transform
        for k in range(5):
            f = layer.freqs[k] @ m[:2, :2]
            phase = layer.phases[k] + layer.freqs[k] @ m[:2, 2]
            amplitude = (1 - (f.norm() - 2.0) / (4.0 - 2.0)).clamp(0, 1)
            for y in range(12):
                for x in range(12):
                    point = torch.tensor([(x + 0.5) / 8 - 0.75, (y + 0.5) / 8 - 0.75], dtype=torch.float64)
                    expected[n, y, x, k] = torch.sin(2 * torch.pi * (point @ f + phase)) * amplitude
    expected = (expected @ layer.weight.t() / sqrt(5)).permute(0, 3, 1, 2)
    torch.testing.assert_close(layer(w), expected)


@pytest.mark.parametrize("kind", ["t", "r"])
def test_images_do_not_depend_on_their_batch(kind: str) -> None:
    generator = small(kind)
    z = generator.latents([1, 2, 3])
    together = in_float64(generator, lambda wide: wide.synthesize(z))
    assert together.shape == (3, 3, 32, 32)
    for i in range(3):
        alone = in_float64(generator, lambda wide, i=i: wide.synthesize(z[i : i + 1]))
        assert_equal_in_float64(alone, together[i : i + 1])
    as_if_noisy = generator.synthesize(z, noise_mode="random", seeds=[4, 5, 6])
    np.testing.assert_array_equal(generator.synthesize(z), as_if_noisy)


@pytest.mark.parametrize("kind", ["t", "r"])
def test_every_parameter_receives_a_gradient(kind: str) -> None:
    generator = small(kind, c_dim=3).train()
    z = torch.randn(4, 8, requires_grad=True)
    generator(z, torch.eye(3)[[0, 1, 2, 0]]).square().mean().backward()
    for name, parameter in [("z", z), *generator.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_training_moves_the_averages_and_evaluation_does_not() -> None:
    generator = small(magnitude_ema_beta=0.5)
    z = torch.randn(4, 8)
    averages = {k: v for k, v in generator.state_dict().items() if k.endswith(("magnitude_ema", "w_avg"))}
    before = {k: v.clone() for k, v in averages.items()}
    generator.eval()(z)
    assert all(torch.equal(before[k], v) for k, v in averages.items())
    generator.train()(z)
    assert not any(torch.equal(before[k], v) for k, v in averages.items())
    first = next(k for k in averages if "L0_" in k)
    w = generator.eval().mapping(z, None)
    magnitude = generator.synthesis.input(w).square().mean()
    torch.testing.assert_close(averages[first], 0.5 * (before[first] + magnitude))


def test_classes_and_truncation_change_the_image() -> None:
    generator = small(c_dim=2)
    a, b = generator.sample([1, 1], class_labels=[0, 1])
    assert (a != b).any()
    z = generator.latents([1, 2])
    flat = in_float64(generator, lambda wide: wide.synthesize(z, truncation_psi=0.0))
    assert_equal_in_float64(flat[0], flat[1])


def test_round_trip_and_bad_keywords(tmp_path: Path) -> None:
    generator = small("r", num_fp16_res=4)
    assert "num_fp16_res" not in generator.config
    generator.half().float()
    save_generator(generator, tmp_path / "g.safetensors")
    loaded = load_safetensors_generator(tmp_path / "g.safetensors")
    assert loaded.config == generator.config == json.loads(json.dumps(generator.config))
    np.testing.assert_array_equal(loaded.sample([1, 2]), generator.sample([1, 2]))
    with pytest.raises(UsageError, match="margin"):
        StyleGAN3(**SMALL, margin=3)


def test_uint8_rule_truncates() -> None:
    levels = np.array([-9.0, -1.0, -0.0001, 0.0, 0.99 / 127.5, 1 / 127.5, 1.0, 9.0], np.float32)
    pixels = small().to_uint8(np.tile(levels, (1, 3, 1, 1)).reshape(1, 3, 1, 8))
    assert pixels[0, 0, :, 2].tolist() == [0, 0, 127, 128, 128, 129, 255, 255]


@given(
    up=st.sampled_from([1, 2, 4]),
    taps=st.integers(2, 24),
    side=st.integers(1, 12),
    pad=st.tuples(st.integers(-3, 9), st.integers(-3, 9)),
    seed=st.integers(0, 99),
)
def test_an_upsampling_filter_as_a_matrix(up: int, taps: int, side: int, pad: tuple[int, int], seed: int) -> None:
    assume(side * up + sum(pad) - taps + 1 >= 1)
    assume(side + sum(min(p, 0) for p in pad) >= 1)  # negative padding cuts, and something of the picture stays
    rng = torch.Generator().manual_seed(seed)
    f = torch.rand(taps, generator=rng, dtype=torch.float64)
    x = torch.rand(2, 3, side, side, generator=rng, dtype=torch.float64)
    matrix = filter_matrix(f, side, up, 1, pad)
    torch.testing.assert_close(matrix @ (x @ matrix.t()), upsample_fir(x, f, up, pad))


@given(down=st.sampled_from([1, 2, 4]), taps=st.integers(2, 24), side=st.integers(24, 40), seed=st.integers(0, 99))
def test_a_downsampling_filter_as_a_matrix(down: int, taps: int, side: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    f = torch.rand(taps, generator=rng, dtype=torch.float64)
    x = torch.rand(1, 2, side, side, generator=rng, dtype=torch.float64)
    matrix = filter_matrix(f, side, 1, down, (0, 0))
    torch.testing.assert_close(matrix @ (x @ matrix.t()), downsample_fir(x, f, down))
