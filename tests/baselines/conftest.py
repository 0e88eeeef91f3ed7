"""A tiny, easily separable stand-in for generated images, and what a method is told when it is fitted."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from osbench.benchmark.images import ImageSet
from osbench.benchmark.method import Context
from osbench.benchmark.method_checks import CLASSES, easy_images


def image_set(
    kinds: tuple[int, ...], count: int, size: int, seed: int, split: str, *, coloured: bool = False
) -> ImageSet:
    """Easy images that a test may write to; without colours only their traces tell the classes apart."""
    images = easy_images(split, count, size, seed=seed, kinds=kinds, coloured=coloured)
    return replace(images, store=images.store.copy())


@pytest.fixture(scope="session")
def train_set() -> ImageSet:
    return image_set((0, 1, 2), 48, 32, 1, "train")


@pytest.fixture(scope="session")
def val_set() -> ImageSet:
    return image_set((0, 1, 2), 16, 32, 2, "val")


@pytest.fixture(scope="session")
def test_set() -> ImageSet:
    return image_set((0, 1, 2, 3), 16, 32, 3, "test")


@pytest.fixture
def make_context(tmp_path: Path):
    """Builds a :class:`Context` whose folder lies in the test's temporary folder."""

    def make(name: str = "fit", *, seed: int = 0, epochs: int | None = None) -> Context:
        return Context(
            seed=seed,
            device=torch.device("cpu"),
            folder=tmp_path / name,
            class_names=CLASSES,
            crop_size=32,
            epochs=epochs,
        )

    return make


@pytest.fixture(autouse=True)
def _one_thread():
    """These networks are too small for more threads, and results must not depend on the machine's core count."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
