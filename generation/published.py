"""What a dataset's folder holds already: shards under their own name, or under that of a smaller dataset.

A shard's bytes depend on the images in it and not on how many shards there are, so a full shard of a source of 40
images is a shard of the same source with 80: it is renamed, and only the rest is made.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..core.errors import DatasetError
from ..core.foreign import check_regular
from ..core.hashing import file_sha256
from ..core.progress import get_logger, track
from .dataset import RECORD, Dataset, left_out
from .ledger import LedgerEntry, shard_siblings
from .pixels import bytes_sha256
from .shards import Unit


@dataclass(frozen=True)
class Published:
    """A shard that need not be made.

    Attributes
    ----------
    entry : LedgerEntry
        As the ledger should have it.
    path : Path
        Where the file lies now.
    entered : bool
        Whether the ledger has this entry.
    """

    entry: LedgerEntry
    path: Path
    entered: bool


def check_folder(folder: Path) -> None:
    """DatasetError unless the folder may become, or is, a dataset."""
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder}: is a file. Choose a folder for the dataset.")
    visible = [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.exists() else []
    if visible and RECORD not in visible:
        raise DatasetError(f"{folder}: holds other files and is no dataset. Choose an empty or new --out folder.")


def begun_record(folder: Path, asked: Collection[str]) -> dict[str, Any] | None:
    """The ``dataset.json`` that a request must agree with; None without images.

    A source that was asked for and of which no shard exists binds nobody: its first request failed, perhaps for the
    very setting that is mended now.
    """
    if not (folder / RECORD).exists():
        return None
    old = Dataset.open(folder).info
    made = {s["name"] for s in old["sources"] if any((folder / "shards" / s["name"]).glob("*.parquet"))}
    sources = [source for source in old["sources"] if source["name"] in made or source["name"] not in asked]
    return {**old, "sources": sources} if made else None


def find_published(wanted: Sequence[Unit], ledger: Mapping[str, LedgerEntry]) -> dict[str, Published]:
    """The wanted shards that are on disk, by their file names; every one is hashed."""
    if not any((unit.dataset / "shards").exists() for unit in wanted[:1]):
        return {}
    found = ((unit.file, _find(unit, ledger)) for unit in track(wanted, description="look at shards", unit="shard"))
    return {file: published for file, published in found if published is not None}


def _find(unit: Unit, ledger: Mapping[str, LedgerEntry]) -> Published | None:
    path, entry = unit.dataset / unit.file, ledger.get(unit.file)
    if path.exists():
        if entry is None:
            return _adopt(unit, path)
        if _images(path, entry.rows) != len(unit.indices):  # the last shard of a dataset that grows
            return None
        if _sha256(path) == entry.sha256:
            return Published(entry, path, entered=True)
        get_logger().warning(f"{path}: differs from the ledger, will be made again.")
        return None
    for sibling in shard_siblings(unit.file, ledger):
        path = unit.dataset / sibling.file
        if path.exists() and _sha256(path) == sibling.sha256 and _unit_sha256(path) == unit.fingerprint():
            return Published(LedgerEntry(unit.file, sibling.rows, sibling.sha256), path, entered=False)
    return None


def _adopt(unit: Unit, path: Path) -> Published | None:
    """A shard that was published but not entered into the ledger before its maker was killed."""
    if _unit_sha256(path) != unit.fingerprint():
        return None
    try:
        rows = pq.read_table(path, columns=["image", "bytes_sha256"], use_threads=False).to_pylist()
        sound = all(bytes_sha256(row["image"]["bytes"]) == row["bytes_sha256"] for row in rows)
    except (pa.ArrowException, OSError, ValueError, TypeError):
        return None
    if not sound or _images(path, len(rows)) != len(unit.indices):
        return None
    return Published(LedgerEntry(unit.file, len(rows), file_sha256(path)), path, entered=False)


def _images(path: Path, rows: int) -> int:
    """Images that a shard stands for: its rows, and pictures of a published data set that had to be left out."""
    try:
        return rows + len(left_out(path))
    except DatasetError:
        return rows


def _sha256(path: Path) -> str | None:
    try:
        check_regular(path, DatasetError)
        return file_sha256(path)
    except (DatasetError, OSError):
        return None


def _unit_sha256(path: Path) -> str | None:
    """The fingerprint of the unit that a shard's file was made of."""
    try:
        check_regular(path, DatasetError)
        return json.loads((pq.read_schema(path).metadata or {})[b"osbench"])["unit_sha256"]
    except (DatasetError, pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
