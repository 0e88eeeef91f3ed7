"""Latent diffusion: DDIM written out as an oracle, and what every generator must keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from osbench.core.errors import UsageError
from osbench.generation.families import load_safetensors_generator, save_generator
from osbench.generation.families.latent_diffusion import LatentDiffusion

from ...float64 import assert_equal_but_for_rounding, assert_equal_in_float64, assert_float32_of, in_float64

pytestmark = pytest.mark.numeric

AUTOENCODER: dict[str, Any] = {
    "sample_size": 16,
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "block_out_channels": [8, 8],
    "layers_per_block": 1,
    "latent_channels": 2,
    "norm_num_groups": 4,
    "mid_block_add_attention": False,
}
UNET: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 2,
    "out_channels": 2,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "cross_attention_dim": 8,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}


def small(**keywords: Any) -> LatentDiffusion:
    torch.manual_seed(0)
    return LatentDiffusion(AUTOENCODER, UNET, **{"steps": 4, "scaling_factor": 0.5, **keywords}).eval()


def test_noise_is_upstreams_draw_for_each_seed() -> None:
    generator = small()
    seeds = [3, 2**63 + 9]
    z = generator.latents(seeds)
    assert z.shape == (2, 2 * 8 * 8)
    assert z.dtype == np.float64
    for row, seed in zip(z, (3, 9), strict=True):
        expected = torch.randn(1, 2, 8, 8, generator=torch.Generator("cpu").manual_seed(seed))
        np.testing.assert_array_equal(row.astype(np.float32).reshape(1, 2, 8, 8), expected)


def literal_ddim(generator: LatentDiffusion, x: Tensor, labels: Tensor | None, steps: int, guidance: float) -> Tensor:
    """Song et al., "Denoising Diffusion Implicit Models" (ICLR 2021), equation 12 with sigma 0."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alpha_bar = torch.cumprod(1 - betas, 0)
    stride = 1000 // steps
    for t in [i * stride + 1 for i in range(steps)][::-1]:
        noise = generator.predict(x, torch.tensor(t))
        if labels is not None:
            noise = noise + guidance * (generator.predict(x, torch.tensor(t), labels) - noise)
        here = alpha_bar[t]
        before = alpha_bar[t - stride] if t >= stride else alpha_bar[0]
        clean = (x - (1 - here).sqrt() * noise) / here.sqrt()
        x = before.sqrt() * clean + (1 - before).sqrt() * noise
    decoded: Any = generator.autoencoder.decode(cast(Any, x / 0.5))
    return decoded.sample


@pytest.mark.parametrize("labels", [None, [0, 2]])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_sampling_equals_ddim_written_out(labels: list[int] | None, guidance: float) -> None:
    generator = small(steps=5, guidance=guidance, classes=3)
    z = torch.from_numpy(generator.latents([1, 2]))
    c, ids = (None, None) if labels is None else (torch.eye(3)[labels], torch.tensor(labels))
    expected = in_float64(generator, lambda wide: literal_ddim(wide, z.view(2, 2, 8, 8), ids, 5, guidance))
    # The schedule is of float32 in both, and its square roots are taken in another order.
    assert_equal_but_for_rounding(generator, lambda network: network(z, c), expected)
    assert_float32_of(generator, lambda network: network(z, c))


def test_guidance_and_classes_change_the_image() -> None:
    plain, guided = (small(classes=2, guidance=g) for g in (1.0, 5.0))
    seeds, labels = [4, 4], [0, 1]
    a, b = plain.synthesize(plain.latents(seeds), np.eye(2)[labels])
    assert np.abs(a - b).max() > 1e-4
    stronger = guided.synthesize(guided.latents(seeds), np.eye(2)[labels])
    assert np.abs(stronger[0] - a).max() > 1e-4
    np.testing.assert_array_equal(plain.synthesize(plain.latents([4])), guided.synthesize(guided.latents([4])))


def test_images_do_not_depend_on_their_batch() -> None:
    generator = small(classes=3, guidance=2.0)
    seeds, labels = [5, 6, 7], [2, 0, 1]
    together = generator.sample(seeds, labels)
    assert together.shape == (3, 16, 16, 3)
    np.testing.assert_array_equal(together, generator.sample(seeds, labels))
    z, c = generator.latents(seeds), np.eye(3)[labels]
    images = in_float64(generator, lambda wide: wide.synthesize(z, c))
    for i in range(3):
        alone = in_float64(generator, lambda wide, i=i: wide.synthesize(z[i : i + 1], c[i : i + 1]))
        assert_equal_in_float64(alone, images[i : i + 1])
    assert (together[0] != together[1]).any()


def test_encoding_scales_and_decoding_undoes_it() -> None:
    generator = small()
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        autoencoder: Any = generator.autoencoder
        mean = autoencoder.encode(images).latent_dist.mean
        torch.testing.assert_close(generator.encode(images), 0.5 * mean)
        torch.testing.assert_close(generator.decode(0.5 * mean), autoencoder.decode(mean).sample)
        generator.config["scaling_factor"] = 2.0
        torch.testing.assert_close(generator.encode(images), 2.0 * mean)
        assert not torch.allclose(generator.encode(images, sample=True), generator.encode(images, sample=True))


def test_both_stages_train_and_sampling_is_differentiable() -> None:
    generator = small(classes=2).train()
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    decoded = generator.decode(generator.encode(images, sample=True))
    (decoded - images).square().mean().backward()
    generator.diffusion_loss(generator.encode(images).detach(), torch.tensor([0, 1, 2, 2])).backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # One condition token: attention over it is constant, so queries and keys cannot matter.
        assert parameter.grad.any() or ".attn2.to_q" in name or ".attn2.to_k" in name or ".norm2" in name, name
    z = torch.randn(1, generator.z_dim, requires_grad=True)
    generator(z).sum().backward()
    assert z.grad is not None
    assert z.grad.any()


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_diffusion_loss_is_zero_for_a_perfect_prediction(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = small(scheduler={"prediction_type": kind})
    clean = torch.randn(3, 2, 8, 8)

    def perfect(noisy: Tensor, timesteps: Tensor, labels: Tensor | None = None) -> Tensor:
        alpha = generator.scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        noise = (noisy - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        return noise if kind == "epsilon" else alpha.sqrt() * noise - (1 - alpha).sqrt() * clean

    assert generator.diffusion_loss(clean) > 0.1
    monkeypatch.setattr(generator, "predict", perfect)
    assert generator.diffusion_loss(clean).item() == pytest.approx(0, abs=1e-6)


def test_round_trip_and_errors(tmp_path: Path) -> None:
    generator = small(classes=2, guidance=2.0, scheduler={"prediction_type": "v_prediction"}).half().float()
    save_generator(generator, tmp_path / "g.safetensors")
    loaded = load_safetensors_generator(tmp_path / "g.safetensors")
    assert loaded.config == generator.config == json.loads(json.dumps(generator.config))
    np.testing.assert_array_equal(loaded.sample([1, 2], [0, 1]), generator.sample([1, 2], [0, 1]))
    with pytest.raises(UsageError, match="unet expects"):
        LatentDiffusion(AUTOENCODER, {**UNET, "sample_size": 4})


def test_uint8_rule_rounds() -> None:
    levels = np.array([-9.0, -1.0, 0.9 / 127.5 - 1, 1.4 / 127.5 - 1, 1.6 / 127.5 - 1, 0.0, 1.0, 9.0], np.float32)
    pixels = small().to_uint8(np.tile(levels, (1, 3, 1, 1)).reshape(1, 3, 1, 8))
    assert pixels.dtype == np.uint8
    # 0 is 127.5 levels, an exact tie, which goes to the even neighbour
    assert pixels[0, 0, :, 1].tolist() == [0, 0, 1, 1, 2, 128, 255, 255]
