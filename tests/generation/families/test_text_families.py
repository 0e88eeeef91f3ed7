"""What all five text-to-image families keep, each at toy size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.core.errors import UsageError
from osbench.generation.checkpoints import load_generator
from osbench.generation.families import save_generator
from osbench.generation.families.captions import TextGenerator
from osbench.generation.families.latent_flow import LatentFlow
from osbench.generation.families.pixel_diffusion import PixelDiffusion
from osbench.generation.families.text_diffusion import TextDiffusion
from osbench.generation.families.text_gan import TextGAN
from osbench.generation.families.token_transformer import TokenTransformer

WORDS = "cat dog face red"
AUTOENCODER = {"channels": [8, 8, 8], "latent": 4, "doubling": "nearest"}
TRANSFORMER = {"width": 16, "depth": 2, "heads": 2}
SEEDS = [3, 2**40 + 1, 2**62 + 7]
PROMPTS = ["cat face", "red dog", "dog face"]

MAKE: dict[str, Callable[[], TextGenerator]] = {
    "latent_flow": lambda: LatentFlow(16, WORDS, AUTOENCODER, {"patch": 1, **TRANSFORMER}, steps=3),
    "pixel_diffusion": lambda: PixelDiffusion(16, WORDS, {"patch": 4, **TRANSFORMER}, steps=3),
    "text_diffusion": lambda: TextDiffusion(
        16, WORDS, AUTOENCODER, {"widths": [8, 16], "condition": 8, "heads": 2}, steps=3
    ),
    "text_gan": lambda: TextGAN(
        16, WORDS, 8, 8, 8, 8, {"num_layers": 2}, {"channel_base": 64, "channel_max": 8, "architecture": "skip"}
    ),
    "token_transformer": lambda: TokenTransformer(16, WORDS, {**AUTOENCODER, "doubling": "bilinear"}, 3, TRANSFORMER),
}


def make(name: str) -> TextGenerator:
    """A network with random weights everywhere, also where training starts at zero."""
    torch.manual_seed(0)
    network = MAKE[name]()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval().requires_grad_(False)


@pytest.fixture(params=sorted(MAKE))
def network(request: pytest.FixtureRequest) -> TextGenerator:
    return make(request.param)


def test_same_seed_and_prompt_same_picture(network: TextGenerator) -> None:
    first = network.sample(SEEDS, prompts=PROMPTS)
    assert first.shape == (3, 16, 16, 3)
    assert first.dtype == np.uint8
    assert first.std() > 0
    torch.randn(5)  # the global generator plays no part
    np.testing.assert_array_equal(network.sample(SEEDS, prompts=PROMPTS), first)


def test_a_picture_does_not_depend_on_its_batch(network: TextGenerator) -> None:
    together = network.sample(SEEDS, prompts=PROMPTS)
    for i, (seed, prompt) in enumerate(zip(SEEDS, PROMPTS, strict=True)):
        alone = network.sample([seed], prompts=[prompt])[0].astype(int)
        assert np.abs(alone - together[i].astype(int)).max() <= 1  # matrix products of another size round otherwise
    backwards = network.sample(SEEDS[::-1], prompts=PROMPTS[::-1])[::-1].astype(int)
    assert np.abs(backwards - together.astype(int)).max() <= 1


def test_seed_and_prompt_matter(network: TextGenerator) -> None:
    pictures = network.sample([3, 3, 3, 4], prompts=["cat", "dog", "", "cat"])
    for other in (1, 2, 3):
        assert not np.array_equal(pictures[0], pictures[other])
    np.testing.assert_array_equal(network.sample([3])[0], network.sample([3], prompts=[""])[0])


def test_a_prompt_is_a_bag_of_known_words(network: TextGenerator) -> None:
    pictures = network.sample([3, 3, 3], prompts=["dog face", "A FACE, Dog!", "dog dog face"])
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_bad_prompts_are_one_line(network: TextGenerator) -> None:
    with pytest.raises(UsageError, match=r"prompt 'zeppelin': this model knows none of its words") as caught:
        network.sample(SEEDS, prompts=["cat", "zeppelin", "dog"])
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="3 images need 3 prompts, not 1"):
        network.sample(SEEDS, prompts=["cat"])


def test_weights_come_back_through_the_checkpoint_reader(network: TextGenerator, tmp_path: Path) -> None:
    for tensor in network.state_dict().values():
        tensor.copy_(tensor.half().float())
    save_generator(network, tmp_path / "weights.safetensors")
    loaded = load_generator(tmp_path / "weights.safetensors").network
    assert isinstance(loaded, TextGenerator)
    assert loaded.config == network.config
    np.testing.assert_array_equal(
        loaded.sample(SEEDS, prompts=PROMPTS),
        network.sample(SEEDS, prompts=PROMPTS),
    )


def test_floats_in_one_range(network: TextGenerator) -> None:
    levels = np.array([-2, -1, 0, 1 / 255, 1, 2], np.float32).reshape(1, 1, 1, 6).repeat(3, 1)
    assert network.to_uint8(levels)[0, 0, :, 0].tolist() == [0, 0, 128, 128, 255, 255]
