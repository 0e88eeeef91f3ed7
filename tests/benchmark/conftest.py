"""A small real dataset from folders of PNG images, and a small real method in a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.method import Method, get_method
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from tests.benchmark.tiny_dataset import CROP, GENERATORS, METHOD_FILE, PER_SOURCE, write_sources


@pytest.fixture(scope="session")
def suite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sources(tmp_path_factory.mktemp("sources"), GENERATORS, PER_SOURCE, CROP + 8)


@pytest.fixture(scope="session")
def dataset(suite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """5 generators x 40 images, crops of 32 px. Shared: do not change its files."""
    return generate(str(suite_file), tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture
def own_dataset(suite_file: Path, tmp_path: Path) -> Dataset:
    """The same dataset, in a folder that a test may damage."""
    return generate(str(suite_file), tmp_path / "own")


@pytest.fixture(scope="session")
def two_contents(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """5 generators x 2 training sets (landscape, emoji) x 20 images. Shared: do not change its files."""
    folder = tmp_path_factory.mktemp("two-contents")
    suite = write_sources(folder / "sources", GENERATORS, 20, CROP + 8, ("landscape", "emoji"))
    return generate(str(suite), folder / "data")


@pytest.fixture(scope="session")
def manifest(dataset: Dataset) -> Manifest:
    return build_manifest(dataset, "fang2023")


@pytest.fixture(scope="session")
def method_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("method") / "nearest_colour.py"
    path.write_text(METHOD_FILE)
    return str(path)


@pytest.fixture(scope="session")
def method_class(method_file: str) -> type[Method]:
    return get_method(method_file)
