"""``croissant.json`` is Croissant: the reference implementation says so, and reads the images by it."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation.croissant import CROISSANT, RECORDS, croissant, write_croissant
from osbench.generation.dataset import Dataset, features
from osbench.generation.datasheet import FORBIDDEN, datasheet_of
from osbench.generation.generate import generate
from osbench.generation.ledger import LEDGER


@pytest.fixture(scope="module")
def dataset(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two networks and a folder."""
    folder = tmp_path_factory.mktemp("croissant")
    (folder / "photos").mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{seed}.jpg")
    return generate(tiny_suite, folder / "data", folders={"camera": folder / "photos"}, folder_licence="CC-BY-4.0")


@pytest.fixture(scope="module")
def read(dataset: Dataset) -> Any:
    """The document as the reference implementation reads it."""
    return pytest.importorskip("mlcroissant").Dataset(str(dataset.path / CROISSANT))


def test_the_reference_implementation_finds_no_error(read: Any) -> None:
    issues = read.metadata.ctx.issues
    assert issues.errors == set()
    (warning,) = issues.warnings
    assert "datePublished" in warning, "who publishes adds the date"


def test_the_images_are_read_by_it_bytes_equal(read: Any, dataset: Dataset) -> None:
    rows = dataset.index().set_index("image_id")
    seen = set()
    for record in read.records(RECORDS):
        image_id = record[f"{RECORDS}/image_id"].decode()
        row = rows.loc[image_id]
        stored = dataset.read_images(str(row["shard"]), [int(row["row"])])[0]
        assert np.array_equal(np.array(record[f"{RECORDS}/image"]), np.array(Image.open(io.BytesIO(stored))))
        assert record[f"{RECORDS}/generator"].decode() == row["generator"]
        seen.add(image_id)
    assert seen == set(rows.index)


def test_every_shard_and_column_is_named(dataset: Dataset) -> None:
    document = json.loads((dataset.path / CROISSANT).read_text())
    assert document == croissant(dataset)
    files = [one for one in document["distribution"] if one["@type"] == "cr:FileObject"]
    assert [one["contentUrl"] for one in files] == [entry.file for entry in dataset.shards()]
    for one in files:
        data = (dataset.path / one["contentUrl"]).read_bytes()
        assert one["sha256"] == hashlib.sha256(data).hexdigest()
        assert one["contentSize"] == f"{len(data)} B"
    (records,) = document["recordSet"]
    assert [field["name"] for field in records["field"]] == list(features(dataset.info["schema_version"]))
    assert document["license"] == [
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "https://creativecommons.org/licenses/by/4.0/",
    ]


def test_what_the_datasheet_says_is_in_the_responsible_fields(read: Any, dataset: Dataset) -> None:
    sheet = datasheet_of(dataset, dataset.index())
    assert read.metadata.data_biases == list(sheet.biases)
    assert read.metadata.data_limitations == list(sheet.limitations)
    assert read.metadata.personal_sensitive_information == list(sheet.sensitive)
    assert [f"Forbidden: {use}." for use in FORBIDDEN] == read.metadata.data_use_cases[-len(FORBIDDEN) :]
    assert "passed on" in read.metadata.data_release_maintenance_plan


def test_the_same_recipe_gives_the_same_document(tiny_suite: Path, tmp_path: Path) -> None:
    one, other = (generate(tiny_suite, tmp_path / name, count=2) for name in ("one", "other"))
    assert (one.path / CROISSANT).read_bytes() == (other.path / CROISSANT).read_bytes()


def test_no_document_of_half_a_dataset(tiny_suite: Path, tmp_path: Path) -> None:
    dataset = generate(tiny_suite, tmp_path / "data", count=2)
    before = (dataset.path / CROISSANT).read_bytes()
    (dataset.path / LEDGER).write_text("")
    with pytest.raises(DatasetError, match="shards are missing"):
        write_croissant(dataset)
    assert (dataset.path / CROISSANT).read_bytes() == before
