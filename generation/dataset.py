"""The dataset on disk: schema, opening, index, stored bytes, verification.

A dataset is a folder with ``dataset.json`` (what it is), ``ledger.jsonl`` (what is published) and
``shards/<generator>/<training_set>/shard-KKKKK-of-NNNNN.parquet``. Stored image bytes are never re-encoded:
read them with :meth:`Dataset.read_images`, or through ``datasets`` with ``Image(decode=False)``. Handing a
decoded picture back to ``datasets`` recompresses it at quality 75 in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..core.errors import DatasetError
from ..core.hashing import file_sha256
from ..core.progress import track
from .ledger import LEDGER, LedgerEntry, check_shard_name, read_ledger, shard_file
from .pixels import bytes_sha256, decode_crop, pixel_sha256
from .seeds import image_id

SCHEMA_VERSION = 1
RECORD = "dataset.json"
REPRODUCTION = "reproduction.json"
"""What :mod:`.regenerate` found, where someone recorded it."""

_COLUMNS = {
    "image_id": "string",
    "image": "Image",
    "generator": "string",
    "training_set": "string",
    "index": "int64",
    "seed": "int64",
    "prompt": "string",
    "class_label": "int32",
    "native_width": "int32",
    "native_height": "int32",
    "jpeg_quality": "int32",
    "jpeg_subsampling": "string",
    "jpeg_tables_sha256": "string",
    "crop_x": "int32",
    "crop_y": "int32",
    "crop_size": "int32",
    "frame_x": "int32",
    "frame_y": "int32",
    "bytes_sha256": "string",
    "pixel_sha256": "string",
    "weights": "string",
    "content_id": "string",
    "group": "string",
}
_LATER = ("weights", "content_id", "group")
"""Columns that datasets of before `mini-matched` lack; they are read as missing values."""

_RECORD_KEYS = {"suite", "suite_version", "title", "recipe", "sources", "versions", "device"}
_MAY_BE_NULL = {"prompt", "class_label", "jpeg_quality", "jpeg_subsampling", "jpeg_tables_sha256", *_LATER}
_IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


def features() -> dict[str, dict[str, str]]:
    """The columns as Hugging Face features, in order; also the ``dataset_info`` of the dataset card."""
    return {
        name: {"_type": "Image"} if kind == "Image" else {"dtype": kind, "_type": "Value"}
        for name, kind in _COLUMNS.items()
    }


def _schema() -> pa.Schema:
    types = {"string": pa.string(), "int64": pa.int64(), "int32": pa.int32(), "Image": _IMAGE}
    # All nullable, as `datasets` writes them: it ignores its own metadata where a field differs in that.
    columns = [pa.field(name, types[kind]) for name, kind in _COLUMNS.items()]
    return pa.schema(columns, {b"huggingface": json.dumps({"info": {"features": features()}}).encode()})


SCHEMA: pa.Schema = _schema()
"""Parquet schema of a shard; its ``huggingface`` metadata makes ``datasets`` show the column ``image`` as pictures."""


def learned(source: dict[str, Any]) -> str:
    """The second part of a source's name in its record: the training set, and which of several weights."""
    return source["name"].partition("/")[2]


@dataclass(frozen=True)
class Problem:
    """Something :meth:`Dataset.verify` found: in which file (relative to the dataset), and what."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


@dataclass(frozen=True)
class Dataset:
    """An opened dataset folder. ``info`` is the content of ``dataset.json``."""

    path: Path
    info: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Open a folder. DatasetError if it is no dataset, damaged, or of another schema version."""
        folder = Path(path)
        record = folder / RECORD
        if not record.is_file():
            raise DatasetError(
                f"{folder}: not a dataset (no {RECORD}). Make one with 'osbench generate --out {folder}'."
            )
        try:
            info = json.loads(record.read_text("utf-8"))
            version = info["schema_version"]
            if version == SCHEMA_VERSION and not info.keys() >= _RECORD_KEYS:
                raise KeyError
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{record}: damaged. Generate the dataset again into a new folder.") from error
        if version != SCHEMA_VERSION:
            raise DatasetError(
                f"{folder}: schema version {version}, but this osbench reads {SCHEMA_VERSION}."
                " Use the osbench that made it, or generate it again."
            )
        return cls(folder, info)

    @property
    def suite(self) -> str:
        """Name of the suite, e.g. ``mini``."""
        return self.info["suite"]

    @property
    def suite_version(self) -> str:
        """Version of the suite, e.g. ``mini-v1``; part of every image's identity."""
        return self.info["suite_version"]

    @property
    def crop_size(self) -> int:
        """Side of the benchmark crop in pixels."""
        return self.info["recipe"]["crop_size"]

    def sources(self) -> list[str]:
        """Names ``generator/training_set``, sorted."""
        return sorted(source["name"] for source in self.info["sources"])

    def expected_shards(self) -> dict[str, tuple[dict[str, Any], range]]:
        """Shard path -> (its source's record, the image indices it holds), for the complete dataset."""
        rows = self.info["recipe"]["shard_rows"]
        return {
            shard_file(s["generator"], learned(s), k, s["shards"]): (
                s,
                range(k * rows, min((k + 1) * rows, s["count"])),
            )
            for s in self.info["sources"]
            for k in range(s["shards"])
        }

    def shards(self) -> list[LedgerEntry]:
        """All shards in file order. DatasetError if some are not published yet."""
        ledger = read_ledger(self.path)
        expected = self.expected_shards()
        missing = [file for file in expected if file not in ledger]
        if missing:
            raise DatasetError(
                f"{self.path}: {len(missing)} of {len(expected)} shards are missing (first: {missing[0]})."
                " Run the same 'osbench generate' again to finish it."
            )
        return [ledger[file] for file in sorted(expected)]

    def index(self) -> pd.DataFrame:
        """Every column but ``image``, plus ``shard`` (path relative to the dataset) and ``row`` (position in it)."""
        columns = [name for name in _COLUMNS if name != "image"]
        tables = []
        for entry in self.shards():
            table = self._read(entry.file, columns)
            if len(table) != entry.rows:
                raise self._damaged(entry.file, f"holds {len(table)} rows, the ledger says {entry.rows}")
            table = table.append_column("shard", pa.array([entry.file] * len(table)))
            tables.append(table.append_column("row", pa.array(range(len(table)), pa.int64())))
        frame = pa.concat_tables(tables).to_pandas()
        return frame.astype({"jpeg_quality": "Int32", "class_label": "Int32"})  # integers with missing values

    def read_images(self, shard: str, rows: Sequence[int] | None = None) -> list[bytes]:
        """Stored bytes, unchanged, of the given rows of a shard (all, in order, if None)."""
        column = self._read(shard, ["image"]).column("image").combine_chunks()
        data = (column.chunk(0) if isinstance(column, pa.ChunkedArray) else column).field("bytes")
        wanted = range(len(data)) if rows is None else rows
        if any(not 0 <= row < len(data) for row in wanted):
            raise self._damaged(shard, f"holds {len(data)} rows, a higher one was asked for")
        return [data[int(row)].as_py() for row in wanted]

    def read_rows(self, shard: str) -> list[dict[str, Any]]:
        """All columns of a shard, one dict a row."""
        return self._read(shard, list(_COLUMNS)).to_pylist()

    def _read(self, shard: str, columns: list[str]) -> pa.Table:
        path = self.path / check_shard_name(shard)
        try:
            with pq.ParquetFile(path) as file:
                stored = file.schema_arrow.names
                if stored not in (list(_COLUMNS), [name for name in _COLUMNS if name not in _LATER]):
                    raise self._damaged(shard, "has other columns than the schema")
                table = file.read(columns=[name for name in columns if name in stored], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(shard, "missing" if not path.exists() else "truncated or damaged") from error
        for name in columns:
            if name not in stored:
                table = table.append_column(name, pa.nulls(len(table), pa.string()))
        return table

    def _damaged(self, shard: str, reason: str) -> DatasetError:
        return DatasetError(f"{self.path / shard}: {reason}. Run the same 'osbench generate' again to rebuild it.")

    def verify(self, *, pixels: bool = False) -> list[Problem]:
        """Everything that is wrong with the published files; an empty list means a sound, complete dataset.

        Checks the ledger against ``dataset.json``, each file against the ledger, each row's identity and byte
        hash, and with ``pixels`` also the hash of every decoded crop.
        """
        return list(self.problems(pixels=pixels))

    def problems(self, *, pixels: bool = False) -> Iterator[Problem]:
        """As :meth:`verify`, one shard after the other."""
        try:
            ledger = read_ledger(self.path)
        except DatasetError as error:
            yield Problem(LEDGER, str(error))
            return
        expected = self.expected_shards()
        files = sorted(expected.keys() | ledger.keys() | self._shard_files())
        for file in track(files, description="verify", unit="shard"):
            if file not in expected:
                yield Problem(file, f"not part of the dataset that {RECORD} describes")
            elif file not in ledger:
                state = "on disk but not in the ledger" if (self.path / file).exists() else "not published yet"
                yield Problem(file, state)
            else:
                reason = self._shard_problem(ledger[file], *expected[file], pixels)
                if reason:
                    yield Problem(file, reason)

    def _shard_files(self) -> set[str]:
        return {path.relative_to(self.path).as_posix() for path in (self.path / "shards").rglob("*.parquet")}

    def _shard_problem(self, entry: LedgerEntry, source: dict[str, Any], indices: range, pixels: bool) -> str | None:
        path = self.path / entry.file
        if not path.exists():
            return "in the ledger but not on disk"
        if file_sha256(path) != entry.sha256:
            return "SHA-256 differs from the ledger (truncated or changed)"
        try:
            rows = self.read_rows(entry.file)
        except DatasetError as error:
            return str(error)
        if [row["index"] for row in rows] != list(indices) or entry.rows != len(rows):
            return f"does not hold the images {indices.start} to {indices.stop - 1}"
        for row in rows:
            reason = _row_problem(row, source, self.crop_size, pixels)
            if reason:
                return f"image {row['index']}: {reason}"
        return None


def _row_problem(row: dict[str, Any], source: dict[str, Any], crop_size: int, pixels: bool) -> str | None:
    if any(value is None for name, value in row.items() if name not in _MAY_BE_NULL) or not row["image"]["bytes"]:
        return "a value is missing"
    identity = image_id(source["namespace"], source["generator"], learned(source), row["index"])
    if row["image_id"] != identity or row["crop_size"] != crop_size:
        return "its identity does not follow from suite, source and index"
    if bytes_sha256(row["image"]["bytes"]) != row["bytes_sha256"]:
        return "stored bytes differ from bytes_sha256"
    if pixels:
        try:
            crop = decode_crop(row["image"]["bytes"], row["crop_x"], row["crop_y"], crop_size)
        except DatasetError as error:
            return str(error)
        if pixel_sha256(crop) != row["pixel_sha256"]:
            return "decoded crop differs from pixel_sha256"
    return None
