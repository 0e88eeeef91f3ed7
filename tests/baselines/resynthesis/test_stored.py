"""Resyntheses that lie in a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osbench.baselines.resynthesis.stored import Stored
from osbench.core.errors import DatasetError
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from osbench.generation.pixels import decode_crop, pixel_sha256

from ...generation.tiny_text import write_tiny_text_suite
from .tiny_suite import spectrum

CROP = 32
NAMES = ("blue", "red")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("stored")
    suite = write_tiny_text_suite(folder / "suite", recipe={"crop_size": CROP, "shard_rows": 4, "batch_size": 2})
    return generate(suite, folder / "data", count=20)


def crops(dataset: Dataset, index: Any) -> np.ndarray:
    found = []
    for row in index.to_dict("records"):
        (data,) = dataset.read_images(row["shard"], [row["row"]])
        found.append(decode_crop(data, row["crop_x"], row["crop_y"], CROP))
    return np.stack(found)


def test_each_image_gets_the_draws_that_were_made_of_it(made: Dataset) -> None:
    way = Stored(made.path, NAMES, spectrum())
    assert way.draws == 2
    originals, again = made.index(), made.index("resynthesis")
    asked = originals[originals["split_hint"] == "test"]
    images = crops(made, asked)
    found = way.show(1, images[::-1], [""] * len(images)).pictures
    assert found.shape == (len(asked), 2, CROP, CROP, 3)
    for name, pictures in zip(asked["image_id"][::-1], found, strict=True):
        own = again[(again["of_image_id"] == name) & (again["generator"] == "red")].sort_values("index")
        assert [pixel_sha256(picture) for picture in pictures] == own["pixel_sha256"].tolist()
    smaller = way.measured(images, [""] * len(images), ("luma",))["luma"]
    assert smaller["nearest"].shape == smaller["mean"].shape == (len(asked), 2)
    assert way.seconds_per_image == {}


def test_what_is_not_there_is_named(made: Dataset) -> None:
    with pytest.raises(DatasetError, match="has no resynthesis by green"):
        Stored(made.path, (*NAMES, "green"), spectrum())
    way, index = Stored(made.path, NAMES, spectrum()), made.index()
    trained = crops(made, index[index["split_hint"] == "train"].head(2))
    with pytest.raises(DatasetError, match="no resynthesis by blue of 2 of 2 images"):
        way.show(0, trained, [""] * 2)
    with pytest.raises(DatasetError, match="stores crops of 32 px, not of 33 px"):
        way.show(0, np.zeros((1, 33, 33, 3), np.uint8), [""])
    with pytest.raises(DatasetError, match="not a dataset"):
        Stored(Path("nowhere"), NAMES, spectrum())
