"""The nearest of many pictures of each source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from osbench.baselines.resynthesis.distances import distances
from osbench.baselines.resynthesis.reference import Reference, made_by, taken_from
from osbench.core.errors import CheckpointError, DatasetError
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.pixels import pixel_sha256

from ..conftest import CLASSES, image_set
from .tiny_suite import CROP, SILENT, candidates, spectrum

CPU = torch.device("cpu")


def test_references_are_pictures_of_the_source_that_no_data_set_has(suite: Path, tmp_path: Path) -> None:
    way = made_by(candidates(suite, SILENT), spectrum(), 6, CROP, 0, CPU)
    assert [p.shape for p in way.pictures] == [(6, CROP, CROP, 3)] * 2
    assert way.draws == 6
    assert all(seconds > 0 for seconds in way.seconds_per_image.values())
    assert list(way.seconds_per_image) == ["reference progan/t", "reference stylegan2/t"]
    generate(suite, tmp_path / "data", count=8, sources=list(SILENT))
    known = set(Dataset.open(tmp_path / "data").index()["pixel_sha256"])
    assert not known & {pixel_sha256(image) for pictures in way.pictures for image in pictures}
    # More of them begin with the same ones; another seed gives others.
    more = made_by(candidates(suite, SILENT), spectrum(), 9, CROP, 0, CPU)
    np.testing.assert_array_equal(more.pictures[0][:6], way.pictures[0])
    other = made_by(candidates(suite, SILENT), spectrum(), 6, CROP, 1, CPU)
    assert not (other.pictures[0] == way.pictures[0]).all((1, 2, 3)).any()


def test_nearest_and_mean_by_an_exact_search(suite: Path) -> None:
    way = made_by(candidates(suite, SILENT), spectrum("euclidean"), 5, CROP, 0, CPU)
    images = np.random.default_rng(0).integers(0, 256, (4, CROP, CROP, 3), np.uint8)
    found = way.measured(images, [""] * 4, ("luma",))["luma"]
    encoder = way.comparison.encoder
    for n, pictures in enumerate(way.pictures):
        pairs = distances("euclidean", encoder.encode(images, "luma"), encoder.encode(pictures, "luma"))
        np.testing.assert_allclose(found["nearest"][:, n], pairs.min(1), rtol=1e-6)
        mean = encoder.encode(pictures, "luma").mean(0, keepdims=True)
        expected = distances("euclidean", encoder.encode(images, "luma"), mean)[:, 0]
        np.testing.assert_allclose(found["mean"][:, n], expected, rtol=1e-6)
    kept = Reference(
        way.sources,
        way.class_index.tolist(),
        way.comparison,
        features={"luma": way.arrays("luma")["references"]},
        number=way.arrays("luma")["reference_source"],
    )
    assert kept.draws == 5
    again = kept.measured(images, [""] * 4, ("luma",))["luma"]
    np.testing.assert_array_equal(again["nearest"], found["nearest"])
    with pytest.raises(CheckpointError, match="not kept for layer luma-chroma"):
        kept.measured(images, [""] * 4, ("luma-chroma",))


def test_as_many_training_images_of_each_class() -> None:
    train = image_set((0, 1, 2), 12, CROP, 1, "train")
    train = train.subset(np.arange(30))  # the last class has six
    way = taken_from(train, CLASSES, spectrum(), 200, 0)
    assert [len(p) for p in way.pictures] == [6, 6, 6]
    assert [len(p) for p in taken_from(train, CLASSES, spectrum(), 4, 0).pictures] == [4, 4, 4]
    assert way.seconds_per_image == {}


def test_crops_that_the_suite_does_not_make(suite: Path) -> None:
    with pytest.raises(DatasetError, match="progan/t makes pictures of 32 px, too small for crops of 33 px"):
        made_by(candidates(suite, SILENT), spectrum(), 2, 33, 0, CPU)
