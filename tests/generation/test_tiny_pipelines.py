"""Every text-to-image architecture of the catalog, tiny and random, through the way that real weights take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from osbench.core.errors import CheckpointError
from osbench.generation.dataset import Dataset
from osbench.generation.families.diffusers_pipeline import PIPELINES, DiffusersPipeline
from osbench.generation.generate import generate
from osbench.generation.hub import PATTERNS

from .tiny_pipelines import KINDS, write_tiny

SEEDS = [3, 2**40 + 1, 11]
PROMPTS = ["a cat", "a dog", "a church"]
CHARACTERS = [f"character {letter}" for letter in "abcdefghij"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pipelines")
    return {kind: write_tiny(kind, folder) for kind in KINDS}


def test_there_is_one_of_every_pipeline() -> None:
    assert set(KINDS) == set(PIPELINES)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_depends_on_its_own_seed_and_prompt_alone(folders: dict[str, Path], kind: str) -> None:
    network = DiffusersPipeline(str(folders[kind]))
    assert network.config["pipeline"] == kind
    steps = 1 if kind == "FluxPipeline" else 2  # its size is fixed: 4,096 patches
    images = network.sample(SEEDS, prompts=PROMPTS, steps=steps)
    side = network.resolution
    assert images.shape == (3, side, side, 3)
    assert images.std() > 5
    swapped = network.sample(SEEDS[::-1], prompts=PROMPTS[::-1], steps=steps, images_per_call=2)[::-1]
    assert np.abs(images.astype(int) - swapped.astype(int)).max() <= 1
    other = network.sample(SEEDS, prompts=["a cat", "a bus", "a church"], steps=steps)
    changed = [np.abs(a.astype(int) - b.astype(int)).max() for a, b in zip(images, other, strict=True)]
    assert changed[1] > 1
    assert max(changed[0], changed[2]) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_go_through_its_autoencoder(folders: dict[str, Path], kind: str) -> None:
    network = DiffusersPipeline(str(folders[kind]))
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        again = network.decode(network.encode(pictures))
        alone = network.decode(network.encode(pictures[:1]))
    assert again.shape == pictures.shape
    torch.testing.assert_close(alone, again[:1], atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def made(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two images of each pipeline."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "characters.txt").write_text("\n".join(CHARACTERS))
    shared: dict[str, Any] = {
        "training_set": "random",
        "family": "diffusers",
        "licence": "CC0-1.0",
        "sampling": {"steps": 2},
    }
    document = {
        "name": "tiny-pipelines",
        "version": "tiny-pipelines-v1",
        "count": 2,
        "recipe": {"crop_size": 16, "shard_rows": 2, "batch_size": 1},
        "defaults": {**shared, "characters": "characters.txt"},
        "sources": [
            {"generator": kind, "architecture": kind, "weights": str(path)} for kind, path in sorted(folders.items())
        ],
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(document))
    return generate(folder / "suite.yaml", folder / "data")


def test_each_generates_through_the_catalog(made: Dataset, folders: dict[str, Path]) -> None:
    index: Any = made.index()
    assert index.groupby("generator").size().to_dict() == dict.fromkeys(KINDS, 2)
    assert set(index["prompt"]) == set(CHARACTERS[:2])
    assert (index["character"] == index["prompt"]).all()
    assert index["pixel_sha256"].is_unique
    assert made.verify(pixels=True) == []
    for source in made.info["sources"]:
        assert source["family"] == "diffusers"
        assert source["network"]["pipeline"] == source["generator"]
        assert (source["safety_checker"], source["watermark"]) == ("off", "off")
        assert source["weights"]["file"] == folders[source["generator"]].name


@pytest.mark.parametrize("kind", ["PixArtSigmaPipeline", "FluxPipeline"])
def test_no_pickle_is_read(folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    copy = write_tiny(kind, tmp_path)
    weights = copy / "transformer/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="from safetensors") as caught:
        DiffusersPipeline(str(copy))
    assert "\n" not in str(caught.value)


def test_code_that_a_part_s_settings_name_is_not_fetched_or_run(tmp_path: Path) -> None:
    copy = write_tiny("AuraFlowPipeline", tmp_path)
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "text_encoder": ["my_code", "Encoder"]}))
    with pytest.raises(CheckpointError, match="its text_encoder comes from my_code, which is not loaded"):
        DiffusersPipeline(str(copy))


def test_a_download_takes_everything_that_a_pipeline_reads(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
        assert [str(file) for file in files if not any(file.match(pattern) for pattern in PATTERNS)] == []
