"""``ledger.jsonl``: one line per published shard, appended after the shard is safely in place.

A torn last line (the process died while appending) is ignored and overwritten. When a dataset is complete the
ledger is rewritten in file order, so that equal datasets have equal ledgers whatever happened on the way.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import DatasetError
from ..core.foreign import read_foreign
from ..core.publish import write_atomically

LEDGER = "ledger.jsonl"
_MAX_LEDGER_BYTES = 64 << 20
MAX_SHARDS = 99_999
"""Of one source: their names have five digits."""
_SHARD = re.compile(r"shards/([A-Za-z0-9][\w.-]*)/([A-Za-z0-9][\w.-]*)/shard-\d{5}-of-\d{5}\.parquet")


@dataclass(frozen=True, order=True)
class LedgerEntry:
    """A published shard: path relative to the dataset, number of rows, SHA-256 of the file."""

    file: str
    rows: int
    sha256: str

    def line(self) -> bytes:
        return (json.dumps(asdict(self)) + "\n").encode()


def shard_file(generator: str, training_set: str, shard: int, shards: int) -> str:
    """Relative path of a shard, with forward slashes."""
    return f"shards/{generator}/{training_set}/shard-{shard:05d}-of-{shards:05d}.parquet"


def shard_siblings(file: str, ledger: Mapping[str, LedgerEntry]) -> list[LedgerEntry]:
    """Entries of the same shard number of the same source in a dataset of another size."""
    begin = file[: file.rindex("-of-")]
    return [entry for name, entry in ledger.items() if name.startswith(f"{begin}-of-") and name != file]


def check_shard_name(file: str) -> str:
    """The name itself; DatasetError if it does not have the form of a shard's path (it might leave the dataset)."""
    if not _SHARD.fullmatch(file):
        raise DatasetError(f"'{file}' is not the path of a shard of a dataset.")
    return file


def read_ledger(dataset: Path) -> dict[str, LedgerEntry]:
    """Shard path -> its last entry; empty if there is no ledger. DatasetError for a line that is no entry."""
    path = dataset / LEDGER
    if not path.exists():
        return {}
    entries = {}
    for number, line in enumerate(_whole_lines(read_foreign(path, DatasetError, _MAX_LEDGER_BYTES)), start=1):
        try:
            document = json.loads(line)
            entry = LedgerEntry(check_shard_name(document["file"]), int(document["rows"]), str(document["sha256"]))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, DatasetError) as error:
            raise DatasetError(f"{path}: line {number} is damaged. Delete the ledger and generate again.") from error
        entries[entry.file] = entry
    return entries


def _whole_lines(data: bytes) -> list[bytes]:
    return data[: data.rfind(b"\n") + 1].splitlines()


def append_ledger(dataset: Path, entry: LedgerEntry) -> None:
    """Add one line and fsync; a torn line before it is cut off first."""
    with (dataset / LEDGER).open("ab+") as handle:
        handle.seek(0)
        whole = handle.read().rfind(b"\n") + 1
        handle.truncate(whole)
        handle.write(entry.line())
        handle.flush()
        os.fsync(handle.fileno())


def write_ledger(dataset: Path, entries: list[LedgerEntry]) -> None:
    """Replace the ledger by these entries in file order; unchanged content is not touched."""
    data = b"".join(entry.line() for entry in sorted(entries))
    path = dataset / LEDGER
    if not path.exists() or path.read_bytes() != data:
        write_atomically(path, data)
