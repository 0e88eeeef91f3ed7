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

from ..core.defaults import DATA
from ..core.errors import DatasetError
from ..core.folders import files_below
from ..core.foreign import TableBudget, check_regular, read_table
from ..core.hashing import file_sha256
from ..core.progress import track
from ..core.text import printable
from .characters import ORIGINAL
from .ledger import LEDGER, LedgerEntry, check_shard_name, read_ledger, shard_file
from .record_schema import learned, read_record, role_of
from .row_check import row_problem
from .seeds import image_id

SCHEMA_VERSION = 4
"""The newest; a dataset is written in the lowest version that has its columns (:func:`version_for`)."""

_PLAIN_VERSION = 3
"""What is written where nobody describes images; versions 1 and 2, which lack columns of :data:`_SINCE`, are read."""

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
    "native_sha256": "string",
    "weights": "string",
    "content_id": "string",
    "group": "string",
    "character": "string",
    "role": "string",
    "of_image_id": "string",
    "description": "string",
    "split_hint": "string",
    "origin": "string",
    "origin_sha256": "string",
}
_SINCE = {
    "native_sha256": 2,
    **dict.fromkeys(("weights", "content_id", "group"), 3),
    **dict.fromkeys(("character", "role", "of_image_id", "description", "split_hint", "origin", "origin_sha256"), 4),
}
"""Schema version that brought a column, where it is not the first."""

_ROW_BYTES = {1: 2048, 2: 2048, 3: 2048, 4: 16_384}
"""Budget for the columns of a row besides its image, by schema version; a description may be long."""

_SHARD_BYTES = 4 << 20
"""Budget for what a shard holds besides its rows."""

_IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


def features(version: int = SCHEMA_VERSION) -> dict[str, dict[str, str]]:
    """The columns as Hugging Face features, in order; also the ``dataset_info`` of the dataset card."""
    return {
        name: {"_type": "Image"} if kind == "Image" else {"dtype": kind, "_type": "Value"}
        for name, kind in _COLUMNS.items()
        if _SINCE.get(name, 1) <= version
    }


def version_for(described: bool) -> int:
    """The schema version to write: the newest for images that say whom they show or which published file they are."""
    return SCHEMA_VERSION if described else _PLAIN_VERSION


def shard_schema(version: int = SCHEMA_VERSION) -> pa.Schema:
    """Parquet schema of a shard; its ``huggingface`` metadata makes ``datasets`` show the images as pictures."""
    types = {"string": pa.string(), "int64": pa.int64(), "int32": pa.int32(), "Image": _IMAGE}
    # All nullable, as `datasets` writes them: it ignores its own metadata where a field differs in that.
    columns = [pa.field(name, types[_COLUMNS[name]]) for name in features(version)]
    return pa.schema(columns, {b"huggingface": json.dumps({"info": {"features": features(version)}}).encode()})


def left_out(shard: Path) -> dict[int, tuple[str, str]]:
    """Index -> file and reason, of the pictures that a shard of a published data set lacks; DatasetError if damaged."""
    try:
        check_regular(shard, DatasetError)
        noted = json.loads((pq.read_schema(shard).metadata or {}).get(b"osbench", b"{}")).get("left_out", [])
        return {int(index): (printable(file, 1000), printable(reason, 1000)) for index, file, reason in noted}
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{printable(shard)}: is not a readable shard ({printable(error)}).") from error


def _no_rows() -> pa.Table:
    fields = [field for field in shard_schema() if field.name != "image"]
    return pa.schema([*fields, pa.field("shard", pa.string()), pa.field("row", pa.int64())]).empty_table()


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
        if folder == DATA and not record.exists():
            raise DatasetError(f"no dataset in ./{DATA}: run `osbench generate` first.")
        if not record.exists():
            raise DatasetError(
                f"{folder}: not a dataset (no {RECORD}). Make one with 'osbench generate --out {folder}'."
            )
        info = read_record(record, range(1, SCHEMA_VERSION + 1))
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

    def sources(self, role: str | None = ORIGINAL) -> list[str]:
        """Names ``generator/training_set``, sorted, of the sources whose images have that role; None for all."""
        return sorted(source["name"] for source in self.info["sources"] if role in {None, role_of(source)})

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

    def left_out(self) -> dict[str, str]:
        """File -> why it is no image of the dataset, for the files of a published data set that could not be read."""
        found: dict[str, str] = {}
        for entry in self.shards():
            found |= dict(left_out(self.path / entry.file).values())
        return found

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

    def index(self, role: str | None = ORIGINAL) -> pd.DataFrame:
        """One row an image: every column but ``image``, plus ``shard`` (relative to the dataset) and ``row`` in it.

        Parameters
        ----------
        role : str, optional
            ``"original"``: what methods are trained and tested on. ``"resynthesis"``: images that were made from the
            ``description`` of the original ``of_image_id``. None: all.

        Returns
        -------
        pandas.DataFrame
            Columns that came with a later schema version are null, but for ``role``. DatasetError for a dataset that
            is not complete.
        """
        columns = [name for name in self._columns if name != "image"]
        expected = self.expected_shards()
        chosen = [e for e in self.shards() if role in {None, role_of(expected[e.file][0])}]
        tables = []
        for entry in chosen:
            table = self._read(entry.file, columns)
            if len(table) != entry.rows:
                raise self._damaged(entry.file, f"holds {len(table)} rows, the ledger says {entry.rows}")
            for name in [name for name in _COLUMNS if name not in self._columns]:
                absent = pa.nulls(len(table), pa.string())
                table = table.append_column(name, pa.array([ORIGINAL] * len(table)) if name == "role" else absent)
            table = table.append_column("shard", pa.array([entry.file] * len(table)))
            tables.append(table.append_column("row", pa.array(range(len(table)), pa.int64())))
        frame = (pa.concat_tables(tables) if tables else _no_rows()).to_pandas()
        return frame.astype({"jpeg_quality": "Int32", "class_label": "Int32"})  # integers with missing values

    def read_images(self, shard: str, rows: Sequence[int] | None = None) -> list[bytes]:
        """Stored bytes, unchanged, of the given rows of a shard (all, in order, if None)."""
        column = self._read(shard, ["image"]).column("image").combine_chunks()
        data = (column.chunk(0) if isinstance(column, pa.ChunkedArray) else column).field("bytes")
        wanted = range(len(data)) if rows is None else rows
        if any(not 0 <= row < len(data) for row in wanted):
            raise self._damaged(shard, f"holds {len(data)} rows, a higher one was asked for")
        found: list[bytes | None] = [data[int(row)].as_py() for row in wanted]
        images = [image for image in found if image]
        if len(images) < len(found):
            raise self._damaged(shard, "holds a row without an image")
        return images

    def read_rows(self, shard: str) -> list[dict[str, Any]]:
        """All columns of a shard, one dict a row."""
        return self._read(shard, list(self._columns)).to_pylist()

    def check_shard(self, entry: LedgerEntry) -> None:
        """DatasetError if the file of a shard is not the one that the ledger describes."""
        reason = self._file_problem(entry)
        if reason:
            raise self._damaged(entry.file, reason)

    @property
    def _columns(self) -> list[str]:
        return list(features(self.info["schema_version"]))

    def _read(self, shard: str, columns: list[str]) -> pa.Table:
        path = self.path / check_shard_name(shard)
        rows = self.info["recipe"]["shard_rows"]
        try:
            # Images are stored as they are, so that a shard with them takes no more memory than disk, but for a copy.
            images = 2 * check_regular(path, DatasetError) if "image" in columns else 0
            version = self.info["schema_version"]
            budget = TableBudget(rows, rows * _ROW_BYTES[version] + _SHARD_BYTES + images)
            schema = shard_schema(version).remove_metadata()
            return read_table(path, DatasetError, budget, columns, schema)
        except DatasetError as error:
            raise DatasetError(f"{error} Run the same 'osbench generate' again to rebuild it.") from error

    def _damaged(self, shard: str, reason: str) -> DatasetError:
        return DatasetError(f"{self.path / shard}: {reason}. Run the same 'osbench generate' again to rebuild it.")

    def verify(self, *, pixels: bool = False) -> list[Problem]:
        """Everything that is wrong with the published files; an empty list means a sound, complete dataset.

        Checks the ledger against ``dataset.json``, each file against the ledger, each row's labels, identity and byte
        hash against its source, and with ``pixels`` also the hashes of the decoded pixels.
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
        folder = self.path / "shards"
        paths = files_below(folder) if folder.is_dir() else ()
        return {path.relative_to(self.path).as_posix() for path in paths if path.suffix == ".parquet"}

    def _shard_problem(self, entry: LedgerEntry, source: dict[str, Any], indices: range, pixels: bool) -> str | None:
        reason = self._file_problem(entry)
        if reason:
            return reason
        try:
            rows = self.read_rows(entry.file)
        except DatasetError as error:
            return str(error)
        out = left_out(self.path / entry.file) if "imported" in source else {}
        if [row["index"] for row in rows] != [i for i in indices if i not in out] or entry.rows != len(rows):
            return f"does not hold the images {indices.start} to {indices.stop - 1}"
        strangers = {str(row["of_image_id"]) for row in rows if row.get("of_image_id")} - self._originals_of(source)
        if strangers:
            return f"draws images again that its originals' source does not have, first {printable(min(strangers), 60)}"
        for row in rows:
            reason = row_problem(row, source, self.crop_size, pixels=pixels)
            if reason:
                return f"image {row['index']}: {reason}"
        return None

    def _originals_of(self, source: dict[str, Any]) -> set[str]:
        """Ids of the images that a source may make again."""
        name = source.get("resynthesizes", {}).get("source")
        of = next((one for one in self.info["sources"] if one["name"] == name), None)
        if of is None:
            return set()
        return {image_id(of["namespace"], of["generator"], learned(of), i) for i in range(of["count"])}

    def _file_problem(self, entry: LedgerEntry) -> str | None:
        path = self.path / entry.file
        if not path.exists():
            return "in the ledger but not on disk"
        try:
            check_regular(path, DatasetError)
            same = file_sha256(path) == entry.sha256
        except (DatasetError, OSError) as error:
            return f"cannot be read ({error})"
        return None if same else "SHA-256 differs from the ledger (truncated or changed)"
