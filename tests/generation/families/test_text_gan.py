from __future__ import annotations

import numpy as np
import torch

from osbench.generation.families.stylegan2 import StyleGAN2
from osbench.generation.families.text_gan import TextGAN

from .test_text_families import PROMPTS, SEEDS, make


def network() -> TextGAN:
    made = make("text_gan")
    assert isinstance(made, TextGAN)
    return made


def test_it_is_stylegan2_with_the_caption_in_the_place_of_the_class() -> None:
    gan = network()
    options = {"channel_base": 64, "channel_max": 8, "architecture": "skip"}
    same = StyleGAN2(8, 8, 8, 16, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=options).eval()
    same.load_state_dict({k: v for k, v in gan.state_dict().items() if not k.startswith("captions")})
    z = gan.noise(SEEDS)
    with torch.no_grad():
        expected = same(z, gan.captions(gan.bags(PROMPTS, 3)), noise_mode="random", seeds=SEEDS)
    torch.testing.assert_close(gan(z, noise_mode="random", seeds=SEEDS, prompts=PROMPTS), expected)


def test_noise_of_a_picture_is_its_own() -> None:
    gan = network()
    together = gan.sample(SEEDS, noise_mode="random", prompts=PROMPTS).astype(int)
    alone = np.concatenate(
        [gan.sample([s], noise_mode="random", prompts=[p]) for s, p in zip(SEEDS, PROMPTS, strict=True)]
    )
    assert np.abs(together - alone).max() <= 1
    assert not np.array_equal(together, gan.sample(SEEDS, prompts=PROMPTS))
