from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osbench.core.errors import UsageError
from osbench.generation.catalog import load_suite
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.other_noise import crops_with_noise
from osbench.generation.pixels import decode_crop

from .test_matched_suite import write_suite


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("noise-suite"))


@pytest.fixture(scope="module")
def dataset(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(suite, tmp_path_factory.mktemp("noise-data") / "data")


def stored(dataset: Dataset, name: str) -> np.ndarray:
    rows = [row for shard in dataset.shards() if f"/{name}/" in shard.file for row in dataset.read_rows(shard.file)]
    return np.stack([decode_crop(r["image"]["bytes"], r["crop_x"], r["crop_y"], r["crop_size"]) for r in rows])


def test_the_recorded_noise_gives_the_stored_images(suite: Path, dataset: Dataset) -> None:
    record = next(s for s in dataset.info["sources"] if s["name"] == "stylegan2/pictures.w0")
    made = crops_with_noise(dataset, record, [4, 1], "random", load_suite(suite))
    np.testing.assert_array_equal(made, stored(dataset, "stylegan2/pictures.w0")[[4, 1]])


def test_without_noise_only_families_that_inject_it_change(suite: Path, dataset: Dataset) -> None:
    records = {s["name"]: s for s in dataset.info["sources"]}
    name = "progan/pictures.w0"
    made = crops_with_noise(dataset, records[name], [0, 1], "none", load_suite(suite))
    np.testing.assert_array_equal(made, stored(dataset, name)[:2])


def test_a_mode_that_a_family_lacks(suite: Path, dataset: Dataset) -> None:
    record = next(s for s in dataset.info["sources"] if s["name"] == "stylegan2/pictures.w0")
    with pytest.raises(UsageError):
        crops_with_noise(dataset, record, [0], "const", load_suite(suite))
