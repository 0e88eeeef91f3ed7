from __future__ import annotations

import numpy as np
import pytest
import torch

from osbench.core.errors import UsageError
from osbench.generation.families.stylegan2 import StyleGAN2
from osbench.generation.families.text_gan import TextGAN

from .test_text_families import PROMPTS, SEEDS, make


def network() -> TextGAN:
    made = make("text_gan")
    assert isinstance(made, TextGAN)
    return made


def test_it_is_stylegan2_with_the_caption_in_the_place_of_the_class() -> None:
    torch.manual_seed(0)
    options = {"channel_base": 64, "channel_max": 8, "architecture": "skip"}
    gan = TextGAN(16, "cat dog face red", 8, 8, 8, 0, {"num_layers": 2}, options).eval()
    same = StyleGAN2(8, 8, 8, 16, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=options).eval()
    same.load_state_dict({k: v for k, v in gan.state_dict().items() if not k.startswith("captions")})
    z = gan.noise(SEEDS)
    with torch.no_grad():
        expected = same(z, gan.captions(gan.bags(PROMPTS, 3)), noise_mode="random", seeds=SEEDS)
    torch.testing.assert_close(gan(z, noise_mode="random", seeds=SEEDS, prompts=PROMPTS), expected)


def test_a_sketch_joins_at_its_side() -> None:
    gan = network()
    z, bags = gan.noise(SEEDS), gan.bags(PROMPTS, 3)
    with_sketch = gan.draw(z, bags)
    gan.sketch.draw.weight.zero_()
    assert not torch.allclose(gan.draw(z, bags), with_sketch, atol=1e-3)
    styles = gan.mapping(z, gan.captions(bags))[:, None].expand(-1, gan.synthesis.num_ws, -1)
    torch.testing.assert_close(gan.draw(z, bags), gan.synthesis(styles))
    with pytest.raises(UsageError, match="sketch_side must be 0 or one of"):
        TextGAN(16, "cat", 8, 8, 8, 32)


def test_noise_of_a_picture_is_its_own() -> None:
    gan = network()
    together = gan.sample(SEEDS, noise_mode="random", prompts=PROMPTS).astype(int)
    alone = np.concatenate(
        [gan.sample([s], noise_mode="random", prompts=[p]) for s, p in zip(SEEDS, PROMPTS, strict=True)]
    )
    assert np.abs(together - alone).max() <= 1
    assert not np.array_equal(together, gan.sample(SEEDS, prompts=PROMPTS))
