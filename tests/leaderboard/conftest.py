"""A small real dataset with seven sources, its manifest, and a folder of drawn runs on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from osbench.benchmark.manifest import Manifest, build_manifest, split_dataset
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate

from .synthetic_runs import write_board_runs

ARCHITECTURES = {
    "progan": "ProGAN",
    "projected_gan": "Projected GAN",
    "stylegan": "StyleGAN",
    "stylegan2": "StyleGAN2",
    "stylegan3": "StyleGAN3",
    "taming": "Taming Transformers",
    "latent_diffusion": "Stable Diffusion",
}
PER_SOURCE, SIDE, CROP = 120, 40, 32


def _picture(rng: np.random.Generator) -> np.ndarray:
    """A sky over a ground, uint8 (SIDE, SIDE, 3), with a little noise."""
    horizon = rng.integers(SIDE // 3, 2 * SIDE // 3)
    sky, ground = rng.integers(90, 250, 3), rng.integers(20, 160, 3)
    rows = np.where(np.arange(SIDE)[:, None, None] < horizon, sky, ground)
    return (rows + rng.normal(0, 6, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)


def _make_dataset(folder: Path, out: Path, count: int, seed: int) -> Dataset:
    sources = []
    for k, (name, architecture) in enumerate(ARCHITECTURES.items()):
        rng = np.random.default_rng([seed, k])
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(_picture(rng)).save(folder / name / f"{i:03}.png")
        sources.append(
            {
                "generator": name,
                "training_set": "drawn",
                "architecture": architecture,
                "licence": "CC0-1.0",
                "folder": name,
            }
        )
    recipe = {"crop_size": CROP, "shard_rows": 40, "batch_size": 20}
    suite = {"name": "drawn", "version": f"drawn-v{seed}", "count": count, "recipe": recipe, "sources": sources}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    made = generate(str(folder / "suite.yaml"), out)
    split_dataset(made, "fang2023")
    return made


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Numbers of entries are kept in a folder of this session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSBENCH_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """7 sources x 120 images with crops of 32 px, split by ``fang2023``. Shared: do not change its files."""
    folder = tmp_path_factory.mktemp("drawn")
    return _make_dataset(folder / "sources", folder / "data", PER_SOURCE, seed=1)


@pytest.fixture
def own_dataset(tmp_path: Path) -> Dataset:
    """A smaller dataset of other images."""
    return _make_dataset(tmp_path / "own-sources", tmp_path / "own", 20, seed=2)


@pytest.fixture(scope="session")
def manifest(dataset: Dataset) -> Manifest:
    return build_manifest(dataset, "fang2023")


@pytest.fixture(scope="session")
def board_runs(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of :data:`.synthetic_runs.BOARD` with 3 seeds each. Shared: do not change its files."""
    folder = tmp_path_factory.mktemp("board") / "runs"
    write_board_runs(folder, manifest)
    return folder
