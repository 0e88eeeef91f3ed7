"""A suite of two tiny random networks, so that dataset tests make real images in a blink."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from osbench.generation.families import family_class, save_generator

from .tiny_pipeline import write_tiny_pipeline


def write_tiny_suite(folder: Path, *, count: int = 10, crop_size: int = 20, **recipe: object) -> Path:
    """Two 32 px FastGAN generators (``alpha``, ``beta``), 4 images a shard, 2 a batch."""
    for seed, name in enumerate(("alpha", "beta")):
        torch.manual_seed(seed)
        network = family_class("projected_gan")(z_dim=8, img_resolution=32, ngf=2, img_channels=3, blocks="lite")
        with torch.no_grad():  # a network fresh from its initialisation makes one flat grey
            network.get_parameter("synthesis.to_big.weight").mul_(1e4)
        save_generator(network, folder / f"{name}.safetensors")
    document = {
        "name": "tiny",
        "version": "tiny-v1",
        "count": count,
        "recipe": {"crop_size": crop_size, "shard_rows": 4, "batch_size": 2, **recipe},
        "defaults": {"training_set": "noise", "native_size": 32, "licence": "CC0-1.0", "family": "projected_gan"},
        "sources": [
            {"generator": name, "architecture": name.title(), "weights": f"{name}.safetensors"}
            for name in ("alpha", "beta")
        ],
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny text-to-image pipeline."""
    return write_tiny_pipeline(tmp_path_factory.mktemp("tiny-pipeline") / "sd")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of its own for downloads, lock file and accepted licences; not made yet."""
    monkeypatch.delenv("OSBENCH_CACHE", raising=False)
    monkeypatch.setenv("OSBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def tiny_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the tiny suite's YAML."""
    return write_tiny_suite(tmp_path_factory.mktemp("tiny-suite"))
