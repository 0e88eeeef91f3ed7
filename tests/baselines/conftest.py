"""A tiny, easily separable stand-in for generated images: smooth content plus a periodic trace per class."""

from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.benchmark.images import ImageSet
from osbench.benchmark.method import Context

CLASSES = ("alpha", "beta", "gamma")
PERIODS = ((2, 2), (4, 2), (2, 4), (3, 3))  # the fourth is the trace of an unseen generator


def traced_images(kind: int, count: int, size: int, seed: int) -> np.ndarray:
    """uint8 (count, size, size, 3): gradients of random direction with the periodic trace ``kind``."""
    rng = np.random.default_rng([seed, kind])
    y, x = np.mgrid[:size, :size] / size
    slopes = rng.uniform(-60, 60, (count, 2, 1, 1, 3))
    content = 128 + slopes[:, 0] * (x - 0.5)[None, ..., None] + slopes[:, 1] * (y - 0.5)[None, ..., None]
    py, px = PERIODS[kind]
    rows, columns = np.mgrid[:size, :size]
    shift = rng.integers(0, 12, (count, 2, 1, 1))
    trace = ((rows + shift[:, 0]) % py == 0) ^ ((columns + shift[:, 1]) % px == 0)
    noisy = content + 12.0 * trace[..., None] + rng.normal(0, 3, (count, size, size, 3))
    return noisy.clip(0, 255).round().astype(np.uint8)


def image_set(kinds: tuple[int, ...], count: int, size: int, seed: int, split: str) -> ImageSet:
    """An ImageSet of ``count`` images per kind; kinds beyond the known classes are unseen (class -1)."""
    labels = np.repeat(np.array([k if k < len(CLASSES) else -1 for k in kinds], dtype=np.int64), count)
    names = np.array([*CLASSES, "unseen"])[labels]
    n = len(labels)
    return ImageSet(
        store=np.concatenate([traced_images(k, count, size, seed) for k in kinds]),
        rows=np.arange(n, dtype=np.int64),
        image_ids=np.array([f"{split}-{i}" for i in range(n)]),
        class_index=labels,
        generator=names,
        openness=np.where(labels < 0, "unseen", "seen"),
        split_name=np.full(n, split),
    )


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
