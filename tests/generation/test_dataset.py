from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from osbench.core.errors import DatasetError
from osbench.generation.dataset import RECORD, SCHEMA, Dataset, features
from osbench.generation.generate import generate
from osbench.generation.ledger import LEDGER
from osbench.generation.pixels import bytes_sha256, decode_crop, pixel_sha256


@pytest.fixture(scope="session")
def made(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tiny_suite, tmp_path_factory.mktemp("dataset") / "data").path


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


def test_index_describes_every_image(made: Path) -> None:
    dataset = Dataset.open(made)
    index = dataset.index()
    assert list(index.columns) == [n for n in SCHEMA.names if n != "image"] + ["shard", "row"]
    assert len(index) == 20
    assert index["image_id"].is_unique
    assert index["seed"].is_unique
    assert (dataset.suite, dataset.suite_version, dataset.crop_size) == ("tiny", "tiny-v1", 20)
    assert dataset.sources() == ["alpha/noise", "beta/noise"]
    assert index["jpeg_quality"].dtype == pd.Int32Dtype()
    assert set(index["jpeg_quality"].dropna()) <= {75, 80, 85, 90, 95}


def test_custody_of_bytes_and_pixels(made: Path) -> None:
    dataset = Dataset.open(made)
    for shard, rows in dataset.index().groupby("shard"):
        images = dataset.read_images(str(shard), rows["row"].tolist())
        assert images == dataset.read_images(str(shard))
        for row, data in zip(rows.to_dict("records"), images, strict=True):
            crop = decode_crop(data, row["crop_x"], row["crop_y"], row["crop_size"])
            assert bytes_sha256(data) == row["bytes_sha256"]
            assert pixel_sha256(crop) == row["pixel_sha256"]
            assert pd.isna(row["jpeg_quality"]) == data.startswith(b"\x89PNG")


def test_read_images_takes_rows_in_any_order(made: Path) -> None:
    dataset = Dataset.open(made)
    shard = dataset.shards()[0].file
    whole = dataset.read_images(shard)
    assert dataset.read_images(shard, [3, 0, 3]) == [whole[3], whole[0], whole[3]]
    assert dataset.read_images(shard, np.array([1])) == [whole[1]]  # type: ignore[arg-type]
    for rows in ([4], [-1]):
        with pytest.raises(DatasetError, match="holds 4 rows"):
            dataset.read_images(shard, rows)


@pytest.mark.parametrize("shard", ["../../etc/passwd", "/etc/passwd", "shards/x"])
def test_read_images_stays_inside_the_dataset(made: Path, shard: str) -> None:
    with pytest.raises(DatasetError, match="not the path of a shard"):
        Dataset.open(made).read_images(shard)


def test_hugging_face_shows_pictures_with_bytes_unchanged(made: Path, tmp_path: Path) -> None:
    """`datasets` recompresses what it decoded; read as bytes it must hand out exactly what is stored."""
    datasets = pytest.importorskip("datasets")
    dataset = Dataset.open(made)
    files = [str(made / entry.file) for entry in dataset.shards()]
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert isinstance(loaded.features["image"], datasets.Image)
    raw = loaded.cast_column("image", datasets.Image(decode=False))
    stored = [data for entry in dataset.shards() for data in dataset.read_images(entry.file)]
    assert [row["image"]["bytes"] for row in raw] == stored
    assert [bytes_sha256(row["image"]["bytes"]) for row in raw] == loaded["bytes_sha256"]
    for row, data in zip(loaded, stored, strict=True):
        assert np.array_equal(np.asarray(row["image"]), np.asarray(Image.open(io.BytesIO(data))))


def test_schema_metadata_is_what_hugging_face_writes() -> None:
    datasets = pytest.importorskip("datasets")
    parsed = datasets.Features.from_dict(features())
    assert parsed.arrow_schema.names == SCHEMA.names
    assert parsed.arrow_schema.types == SCHEMA.types
    assert datasets.Features.from_arrow_schema(SCHEMA) == parsed


def test_a_sound_dataset_has_no_problems(made: Path) -> None:
    assert Dataset.open(made).verify(pixels=True) == []


def test_truncated_shard(copied: Path) -> None:
    dataset = Dataset.open(copied)
    shard = dataset.shards()[1].file
    os.truncate(copied / shard, (copied / shard).stat().st_size // 2)
    assert [p.file for p in dataset.verify()] == [shard]
    for read in (dataset.index, lambda: dataset.read_images(shard)):
        with pytest.raises(DatasetError, match="truncated or damaged") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_missing_and_foreign_shards(copied: Path) -> None:
    dataset = Dataset.open(copied)
    lost = dataset.shards()[2].file
    foreign = "shards/alpha/noise/shard-00007-of-00009.parquet"
    (copied / lost).rename(copied / foreign)
    assert {p.file: p.reason for p in dataset.verify()} == {
        lost: "in the ledger but not on disk",
        foreign: "not part of the dataset that dataset.json describes",
    }
    with pytest.raises(DatasetError, match="missing"):
        dataset.index()


def test_unfinished_dataset(copied: Path) -> None:
    lines = (copied / LEDGER).read_text().splitlines(keepends=True)
    (copied / LEDGER).write_text("".join(lines[:4]))
    dataset = Dataset.open(copied)
    with pytest.raises(DatasetError, match="2 of 6 shards are missing"):
        dataset.index()
    assert {p.reason for p in dataset.verify()} == {"on disk but not in the ledger"}


def rewrite(dataset: Path, shard: str, column: str, row: int, value: object) -> None:
    """Forge one cell, and the ledger with it, so that only the row's own hashes can tell."""
    table = pq.read_table(dataset / shard)
    rows = table.to_pylist()
    rows[row][column] = value
    pq.write_table(pa.Table.from_pylist(rows, table.schema), dataset / shard)
    from osbench.core.hashing import file_sha256
    from osbench.generation.ledger import LedgerEntry, append_ledger

    append_ledger(dataset, LedgerEntry(shard, len(rows), file_sha256(dataset / shard)))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("bytes_sha256", "0" * 64, "stored bytes differ"),
        ("pixel_sha256", "0" * 64, "decoded crop differs"),
        ("image_id", "0" * 32, "identity"),
        ("native_width", None, "a value is missing"),
        ("image", {"bytes": None, "path": None}, "a value is missing"),
        ("index", 9, "does not hold the images"),
        ("crop_x", 10_000, "leaves the stored"),
    ],
)
def test_a_forged_row_is_found_even_with_a_forged_ledger(copied: Path, column: str, value: object, reason: str) -> None:
    shard = Dataset.open(copied).shards()[0].file
    rewrite(copied, shard, column, 2, value)
    problems = Dataset.open(copied).verify(pixels=True)
    assert [p.file for p in problems] == [shard]
    assert reason in problems[0].reason


def test_unknown_columns_are_refused(copied: Path) -> None:
    shard = Dataset.open(copied).shards()[0].file
    table = pq.read_table(copied / shard)
    pq.write_table(table.append_column("extra", pa.array(range(len(table)))), copied / shard)
    with pytest.raises(DatasetError, match="other columns"):
        Dataset.open(copied).read_images(shard)


def test_a_damaged_ledger_is_a_problem_not_a_crash(copied: Path) -> None:
    (copied / LEDGER).write_text("{}\n")
    assert [p.file for p in Dataset.open(copied).verify()] == [LEDGER]


def test_folders_that_are_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a dataset"):
        Dataset.open(tmp_path / "missing")
    with pytest.raises(DatasetError, match="not a dataset"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"schema_version": 1}', "\u00ff"])
def test_damaged_record(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text, "latin-1")
    with pytest.raises(DatasetError, match="damaged"):
        Dataset.open(tmp_path)


def test_other_schema_version(copied: Path) -> None:
    info = json.loads((copied / RECORD).read_text())
    (copied / RECORD).write_text(json.dumps({**info, "schema_version": 99}))
    with pytest.raises(DatasetError, match="schema version 99, but this osbench reads 1"):
        Dataset.open(copied)
