"""Training batches: our decoded-once cache against `datasets` (Parquet) + PIL decode + crop + torch DataLoader.

Both give the same shuffled batches of uint8 crops, epoch after epoch; every pixel of an epoch is compared first.

What is counted. Ours: building the cache once, for *all* images of the dataset (validation, test and unseen ones too),
plus ten epochs of training batches; divided by ten. (The proposed method trains for thirty.) Reference: one epoch, with
the decoding that the public way repeats in every epoch; the faster of no worker processes and as many as there are
cores, workers already running; importing the Parquet files into `datasets` is not counted.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import torch
import yaml
from PIL import Image
from torch.utils.data import DataLoader

from osbench.benchmark.images import ImageSet, load_images
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.core.progress import is_quiet, set_quiet
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate

GENERATORS, PER_SOURCE, CROP, FRAME, BATCH, EPOCHS = 4, 120, 256, 288, 32, 10


def make_dataset(folder: Path) -> Dataset:
    """JPEG frames of 288 px, like the stored windows of 256 px crops, from four folders; a sixth of them PNG."""
    rng = np.random.default_rng(0)
    names = [f"generator{k}" for k in range(GENERATORS)]
    noise = rng.normal(0, 12, (2 * FRAME, 2 * FRAME, 3))
    y, x = np.mgrid[:FRAME, :FRAME][..., None] / FRAME
    for name in names:
        (folder / name).mkdir()
        for i in range(PER_SOURCE):
            a, b = rng.uniform(-80, 80, (2, 3))
            top, left = rng.integers(0, FRAME, 2)
            trace = noise[top : top + FRAME, left : left + FRAME]
            pixels = (128 + a * (x - 0.5) + b * (y - 0.5) + trace).clip(0, 255)
            picture, quality = Image.fromarray(pixels.astype(np.uint8)), (75, 80, 85, 90, 95, None)[i % 6]
            if quality is None:
                picture.save(folder / name / f"{i:04}.png")
            else:
                picture.save(folder / name / f"{i:04}.jpg", quality=quality)
    sources = [
        {"generator": name, "training_set": "x", "architecture": name, "licence": "CC0-1.0", "folder": name}
        for name in names
    ]
    recipe = {"crop_size": CROP, "shard_rows": 60, "batch_size": 20}
    suite = {"name": "loader", "version": "loader-v1", "count": PER_SOURCE, "recipe": recipe, "sources": sources}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    return generate(str(folder / "suite.yaml"), folder / "data")


class PublicImages(torch.utils.data.Dataset):
    """What tutorials show: a row of a Parquet dataset, its picture decoded by Pillow, cropped, as a tensor."""

    def __init__(self, rows: datasets.Dataset, positions: np.ndarray, labels: np.ndarray) -> None:
        self.rows, self.positions, self.labels = rows, positions, labels

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        row = self.rows[int(self.positions[i])]
        x, y, s = row["crop_x"], row["crop_y"], row["crop_size"]
        crop = row["image"].convert("RGB").crop((x, y, x + s, y + s))
        return torch.from_numpy(np.array(crop)), int(self.labels[i])


class FixedOrder(torch.utils.data.Sampler):
    """The order in which our epoch with this seed visits the images."""

    def __init__(self, n: int, seed: int) -> None:
        self.order = np.random.default_rng(seed).permutation(np.arange(n)).tolist()

    def __iter__(self) -> Iterator[int]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)


def public_loader(dataset: Dataset, manifest: Manifest, cache: Path, workers: int, seed: int) -> DataLoader:
    """The reference, ready to iterate."""
    files = sorted(str(path) for path in (dataset.path / "shards").rglob("*.parquet"))
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(cache), split="train")
    assert isinstance(loaded, datasets.Dataset)
    train = manifest.rows("train")
    place = {name: i for i, name in enumerate(loaded["image_id"])}
    images = PublicImages(
        loaded.select_columns(["image", "crop_x", "crop_y", "crop_size"]),
        np.array([place[name] for name in train["image_id"]]),
        np.asarray(train["class_index"]),
    )
    order = FixedOrder(len(images), seed)
    return DataLoader(images, BATCH, sampler=order, num_workers=workers, persistent_workers=workers > 0)


def same_pixels(images: ImageSet, loader: DataLoader, seed: int) -> bool:
    """Whether an epoch of ours and one of the reference agree in every pixel and label."""
    ours = images.batches(BATCH, rng=np.random.default_rng(seed))
    return all(
        np.array_equal(pixels, theirs.numpy()) and np.array_equal(labels, their_labels.numpy())
        for (pixels, labels, _), (theirs, their_labels) in zip(ours, loader, strict=True)
    )


def epoch_seconds(loader: DataLoader) -> float:
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start


def our_seconds(dataset: Dataset, manifest: Manifest, cache: Path) -> float:
    """Build the cache, then read all epochs; seconds per epoch."""
    start = time.perf_counter()
    train = load_images(dataset, manifest, cache=cache).split("train")
    rng = np.random.default_rng(0)
    for _ in range(EPOCHS):
        for pixels, _, _ in train.batches(BATCH, rng=rng):
            torch.from_numpy(pixels)
    return (time.perf_counter() - start) / EPOCHS


def run() -> dict[str, float | bool]:
    """Interleaved repeats, minimum of each."""
    quiet = is_quiet()
    set_quiet(True)
    datasets.disable_progress_bars()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            dataset = make_dataset(folder)
            manifest = build_manifest(dataset, "rotate-one", "generator0")
            images = load_images(dataset, manifest, cache=folder / "equal", check=True).split("train")
            loaders = [
                public_loader(dataset, manifest, folder / "arrow", workers, seed=1)
                for workers in (0, os.cpu_count() or 1)
            ]
            equal = all(same_pixels(images, loader, seed=1) for loader in loaders)  # also starts the workers
            ours_s, reference_s = [], []
            for k in range(3):
                ours_s.append(our_seconds(dataset, manifest, folder / f"cache{k}"))
                reference_s += [epoch_seconds(loader) for loader in loaders]
            del loaders
    finally:
        set_quiet(quiet)
    ratio = min(reference_s) / min(ours_s)
    return {"ratio": ratio, "ours_s": min(ours_s), "reference_s": min(reference_s), "equal": equal}
