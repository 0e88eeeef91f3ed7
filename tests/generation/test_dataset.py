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
from osbench.core.hashing import file_sha256
from osbench.generation.card import card_text
from osbench.generation.dataset import RECORD, Dataset, features, shard_schema
from osbench.generation.generate import generate
from osbench.generation.ledger import LEDGER, LedgerEntry, append_ledger
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
    assert list(index.columns) == [n for n in shard_schema().names if n != "image"] + ["shard", "row"]
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


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_schema_metadata_is_what_hugging_face_writes(version: int) -> None:
    datasets = pytest.importorskip("datasets")
    parsed, schema = datasets.Features.from_dict(features(version)), shard_schema(version)
    assert parsed.arrow_schema.names == schema.names
    assert parsed.arrow_schema.types == schema.types
    assert datasets.Features.from_arrow_schema(schema) == parsed


def test_a_sound_dataset_has_no_problems(made: Path) -> None:
    assert Dataset.open(made).verify(pixels=True) == []


def test_truncated_shard(copied: Path) -> None:
    dataset = Dataset.open(copied)
    shard = dataset.shards()[1].file
    os.truncate(copied / shard, (copied / shard).stat().st_size // 2)
    assert [p.file for p in dataset.verify()] == [shard]
    for read in (dataset.index, lambda: dataset.read_images(shard)):
        with pytest.raises(DatasetError, match=r"is not a Parquet file, or it is cut off\. Run the same") as caught:
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
    with pytest.raises(DatasetError, match="No such file"):
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
        ("generator", "beta", "image 2: its generator is beta, but it lies in source alpha/noise"),
        ("training_set", "ffhq", "image 2: its training_set is ffhq, but it lies in source alpha/noise"),
        ("seed", 1, "its seed does not follow"),
        ("prompt", "a cat", "has a prompt, but its source has none"),
        ("image", None, "a value is missing"),
        ("crop_x", 10_000, "leaves the stored"),
    ],
)
def test_a_forged_row_is_found_even_with_a_forged_ledger(copied: Path, column: str, value: object, reason: str) -> None:
    shard = Dataset.open(copied).shards()[0].file
    rewrite(copied, shard, column, 2, value)
    problems = Dataset.open(copied).verify(pixels=True)
    assert [p.file for p in problems] == [shard]
    assert reason in problems[0].reason


@pytest.mark.parametrize("kind", ["pipe", "folder", "zero"])
def test_shards_that_are_no_files_are_named(copied: Path, kind: str) -> None:
    dataset = Dataset.open(copied)
    shard = dataset.shards()[1].file
    (copied / shard).unlink()
    if kind == "pipe":
        os.mkfifo(copied / shard)
    elif kind == "folder":
        (copied / shard).mkdir()
    else:
        (copied / shard).symlink_to("/dev/zero")
    words = {"pipe": "is a named pipe", "folder": "is a folder", "zero": "is a device"}[kind]
    assert [(p.file, words in p.reason) for p in dataset.verify()] == [(shard, True)]
    for read in (dataset.index, lambda: dataset.read_images(shard), lambda: dataset.check_shard(dataset.shards()[1])):
        with pytest.raises(DatasetError, match=words) as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_row_without_an_image_is_one_line(copied: Path) -> None:
    shard = Dataset.open(copied).shards()[0].file
    rewrite(copied, shard, "image", 1, None)
    with pytest.raises(DatasetError, match="holds a row without an image"):
        Dataset.open(copied).read_images(shard)


def test_a_shard_that_unpacks_to_gigabytes_is_refused_before_it_is_read(copied: Path) -> None:
    """60 pictures of 200 MB of zeros in a few kilobytes."""
    dataset = Dataset.open(copied)
    path = copied / dataset.shards()[0].file
    row = pq.read_table(path).to_pylist()[0]
    zeros = pa.py_buffer(bytes(200_000_000))
    offsets = pa.py_buffer(np.array([0, 200_000_000], np.int32).tobytes())
    image = pa.StructArray.from_arrays(
        [pa.Array.from_buffers(pa.binary(), 1, [None, offsets, zeros]), pa.array(["x"])], ["bytes", "path"]
    )
    schema = shard_schema(3)
    one = pa.Table.from_pylist([{**row, "image": None}], schema)
    one = one.set_column(one.schema.get_field_index("image"), schema.field("image"), image)
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for _ in range(4):
            writer.write_table(one)
    assert path.stat().st_size < 1_000_000
    before = pa.total_allocated_bytes()
    with pytest.raises(DatasetError, match="bytes when it is unpacked; at most") as caught:
        dataset.read_images(dataset.shards()[0].file)
    assert "\n" not in str(caught.value)
    assert pa.total_allocated_bytes() - before < 10_000_000


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions_are_read_as_well(version: int, copied: Path) -> None:
    """Data sets from before ``native_sha256``, and from before ``weights``, ``content_id`` and ``group``."""
    later = ["weights", "content_id", "group"] + ["native_sha256"] * (version < 2)
    expected = Dataset.open(copied).index()
    for entry in Dataset.open(copied).shards():
        path = copied / entry.file
        table = pq.read_table(path).drop_columns(later)
        pq.write_table(table, path)
        append_ledger(copied, LedgerEntry(entry.file, len(table), file_sha256(path)))
    info = json.loads((copied / RECORD).read_text())
    (copied / RECORD).write_text(json.dumps({**info, "schema_version": version}))
    old = Dataset.open(copied)
    assert old.verify(pixels=True) == []
    pd.testing.assert_frame_equal(pd.DataFrame(old.index()[list(expected.columns)]), expected)
    assert not any(f"`{name}`" in card_text(old) for name in later)


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
