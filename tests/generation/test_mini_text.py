"""The suite mini-text with small untrained networks in the place of its weights, and with those that are shipped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from osbench.cli import main
from osbench.core.errors import UsageError
from osbench.generation.catalog import Source, load_suite, suite_file
from osbench.generation.checkpoints import load_generator
from osbench.generation.dataset import Dataset
from osbench.generation.families import Generator, save_generator
from osbench.generation.families.captions import TextGenerator, vocabulary_of
from osbench.generation.families.latent_flow import LatentFlow
from osbench.generation.families.pixel_diffusion import PixelDiffusion
from osbench.generation.families.text_diffusion import TextDiffusion
from osbench.generation.families.text_gan import TextGAN
from osbench.generation.families.token_transformer import TokenTransformer

SUITE = load_suite("mini-text")
SHIPPED = [source for source in SUITE.sources if source.weights is not None and source.weights.exists()]


def osbench(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def small_networks() -> list[Generator]:
    words = vocabulary_of(SUITE.sources[0].prompts)
    autoencoder = {"channels": [8, 8, 8, 8], "latent": 2}
    transformer = {"width": 8, "depth": 1, "heads": 1}
    torch.manual_seed(0)
    networks = [
        LatentFlow(64, words, autoencoder, {"patch": 2, **transformer}, steps=2),
        PixelDiffusion(64, words, {"patch": 16, **transformer}, steps=2),
        TextDiffusion(64, words, autoencoder, {"widths": [8], "condition": 8, "heads": 1}, steps=2),
        TextGAN(64, words, 8, 8, 8, 4, {"num_layers": 1}, {"channel_base": 64, "channel_max": 8}),
        TokenTransformer(64, words, autoencoder, 3, transformer),
    ]
    for network in networks:
        for parameter in network.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return networks


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packaged zoo with a small untrained network for every source."""
    monkeypatch.setattr(suite_file, "ZOO", tmp_path / "zoo")
    folder = tmp_path / "zoo/mini-text"
    folder.mkdir(parents=True)
    for network in small_networks():
        save_generator(network, folder / f"{network.family}-characters.safetensors")
    return folder


def test_five_sources_of_different_kinds() -> None:
    assert len({source.family for source in SUITE.sources}) == len(SUITE.sources) == 5
    assert all(len(source.prompts) == 100 and source.prompts_in_turn for source in SUITE.sources)
    assert SUITE.count % 100 == 0


def test_every_caption_has_as_many_images(zoo: Path, tmp_path: Path) -> None:
    code, _, error = osbench("generate", "--suite", "mini-text", "--count", 200, "--out", tmp_path / "data")
    assert code == 0, error
    dataset = Dataset.open(tmp_path / "data")
    assert dataset.sources() == [source.name for source in SUITE.sources]
    rows = dataset.index()
    for _, mine in rows.groupby("generator"):
        assert Counter(mine["prompt"]) == dict.fromkeys(SUITE.sources[0].prompts, 2)
        first = mine.sort_values("index").head(100)
        assert first["prompt"].tolist() == list(SUITE.sources[0].prompts)


def test_more_images_leave_the_first_as_they_were(zoo: Path, tmp_path: Path) -> None:
    source = ("--source", "token_transformer/characters")
    tables = []
    for count in (30, 50):
        code, _, error = osbench(
            "generate", "--suite", "mini-text", *source, "--count", count, "--out", tmp_path / str(count)
        )
        assert code == 0, error
        tables.append(Dataset.open(tmp_path / str(count)).index().set_index("index").sort_index())
    fewer, more = tables
    for column in ("image_id", "pixel_sha256", "prompt"):
        assert fewer[column].tolist() == more[column].tolist()[:30]


def test_captions_in_turn_need_captions() -> None:
    with pytest.raises(UsageError, match="'prompts_in_turn' needs prompts"):
        Source("a", "t", "A", "MIT", weights=Path("w"), prompts_in_turn=True)


@pytest.mark.parametrize("source", SHIPPED, ids=lambda source: source.generator)
def test_shipped_weights_know_every_caption(source: Source) -> None:
    assert source.weights is not None
    network = load_generator(source.weights).network
    assert isinstance(network, TextGenerator)
    assert (network.family, network.resolution) == (source.family, source.native_size)
    assert vocabulary_of(source.prompts) == " ".join(network.captions.words)
    seeds, prompts = [5, 5], ["tulip", "bus"]
    tulip, bus = network.sample(seeds, prompts=prompts, **source.sampling).astype(int)
    assert np.abs(tulip - bus).mean() > 4
