"""Reading what somebody else made: regular files only, within a budget, and printed without control characters."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import OsbenchError
from .text import printable

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_DEPTH = 100
_BATCH_BYTES = 1 << 28

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular(
    path: Path, error: type[OsbenchError], max_bytes: int | None = None, too_large: type[OsbenchError] | None = None
) -> int:
    """The size of a regular file in bytes; links are followed.

    Parameters
    ----------
    path : Path
        What is about to be read.
    error : type[OsbenchError]
        What to raise for a file that is missing, unreadable, special (named pipe, device, folder) or too large.
    max_bytes : int, optional
        The largest size that is read.
    too_large : type[OsbenchError], optional
        What to raise for a file that is too large; ``error`` without it.
    """
    name = printable(path)
    try:
        found = os.stat(path)
    except (OSError, ValueError) as cause:
        raise error(f"{name}: cannot be read ({getattr(cause, 'strerror', None) or cause}).") from cause
    if not stat.S_ISREG(found.st_mode):
        kind = next((kind for test, kind in _KINDS if test(found.st_mode)), "a special file")
        raise error(f"{name}: is {kind}, not a regular file.")
    if max_bytes is not None and found.st_size > max_bytes:
        raise (too_large or error)(f"{name}: {found.st_size:,} bytes; at most {max_bytes:,} are read.")
    return found.st_size


def read_foreign(path: Path, error: type[OsbenchError], max_bytes: int) -> bytes:
    """The bytes of a regular file of at most ``max_bytes``; ``error`` in one line otherwise."""
    check_regular(path, error, max_bytes)
    try:
        with path.open("rb") as handle:
            data = handle.read(max_bytes + 1)
    except OSError as cause:
        raise error(f"{printable(path)}: cannot be read ({cause.strerror or cause}).") from cause
    if len(data) > max_bytes:
        raise error(f"{printable(path)}: more than {max_bytes:,} bytes.")
    return data


def read_json(path: Path, error: type[OsbenchError], max_bytes: int) -> Any:
    """A JSON document of at most ``max_bytes``; ``error`` in one line if it is none or is nested too deep."""
    data = read_foreign(path, error, max_bytes)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as cause:
        raise error(f"{printable(path)}: is not readable JSON ({printable(cause)}).") from cause
    if _deeper_than(document, _MAX_DEPTH):
        raise error(f"{printable(path)}: JSON that is nested deeper than {_MAX_DEPTH} levels.")
    return document


def _deeper_than(document: Any, depth: int) -> bool:
    level = [document]
    for _ in range(depth):
        level = [
            value
            for item in level
            if isinstance(item, dict | list)
            for value in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


@dataclass(frozen=True)
class TableBudget:
    """What a Parquet file may cost before any of it is decompressed.

    Attributes
    ----------
    rows : int
        Most rows.
    bytes : int
        Most uncompressed bytes of the columns that are read, as the footer states them.
    file_bytes : int
        Most bytes of the file.
    footer_bytes : int
        Most bytes of the footer, which is parsed before anything of it can be checked.
    """

    rows: int
    bytes: int
    file_bytes: int = 1 << 34
    footer_bytes: int = 16 << 20


def read_table(
    path: Path,
    error: type[OsbenchError],
    budget: TableBudget,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    too_large: type[OsbenchError] | None = None,
) -> pa.Table:
    """A Parquet table within a budget of rows and bytes.

    The footer of a hostile file may lie about sizes, so dictionary-encoded columns are counted as they will be in
    memory: pages are decoded row group by row group, and reading stops as soon as the budget is spent.

    Parameters
    ----------
    path : Path
        The file.
    error : type[OsbenchError]
        What to raise, in one line, for whatever is wrong with it.
    budget : TableBudget
        Rows and bytes.
    columns : sequence of str, optional
        Columns to read; all without it. A column that is missing is an error.
    schema : pyarrow.Schema, optional
        Names and types that the whole file must have, in this order.
    too_large : type[OsbenchError], optional
        What to raise, a kind of ``error``, where the budget is not enough; ``error`` without it.

    Returns
    -------
    pyarrow.Table
        The columns in the order asked for.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = printable(path)
    over = too_large or error
    size = check_regular(path, error, budget.file_bytes, over)
    try:
        with path.open("rb") as handle:
            handle.seek(max(0, size - 8))
            tail = handle.read(8)
        if len(tail) < 8 or tail[4:] != b"PAR1":
            raise error(f"{name}: is not a Parquet file, or it is cut off.")
        if int.from_bytes(tail[:4], "little") > min(budget.footer_bytes, size):
            raise error(f"{name}: a Parquet footer of {int.from_bytes(tail[:4], 'little'):,} bytes.")
        with pq.ParquetFile(
            path,
            thrift_string_size_limit=budget.footer_bytes,
            thrift_container_size_limit=1_000_000,
        ) as file:
            if schema is not None and not schema.equals(file.schema_arrow.remove_metadata()):
                raise error(f"{name}: has other columns than the schema, {', '.join(schema.names)}.")
            wanted = list(columns) if columns is not None else file.schema_arrow.names
            lacking = sorted(set(wanted) - set(file.schema_arrow.names))
            if lacking:
                raise error(f"{name}: column {', '.join(map(repr, lacking))} is missing.")
            largest = _check_footer(file.metadata, set(wanted), budget, name, over)
            # A dictionary or shared prefixes may repeat one long text in every row: no text is longer than its chunk.
            rows = min(max(_BATCH_BYTES // max(largest, 1), 64), 4096)
            tables: list[pa.RecordBatch] = []
            left = budget.bytes
            for batch in file.iter_batches(batch_size=rows, columns=wanted, use_threads=False):
                left -= batch.nbytes
                if left < 0:
                    raise over(f"{name}: more than {budget.bytes:,} bytes when it is unpacked.")
                tables.append(batch)
            schema = pa.schema([file.schema_arrow.field(column) for column in wanted])
            table = pa.Table.from_batches(tables, tables[0].schema if tables else schema).select(wanted)
            return table.replace_schema_metadata(file.schema_arrow.metadata)
    except error:
        raise
    except (OSError, pa.ArrowException, ValueError, MemoryError, OverflowError) as cause:
        raise error(f"{name}: is not a readable Parquet file ({printable(cause).rstrip('. ')}).") from cause


def _check_footer(metadata: Any, wanted: set[str], budget: TableBudget, name: str, error: type[OsbenchError]) -> int:
    """The unpacked bytes of the largest column chunk."""
    if metadata.num_rows > budget.rows:
        raise error(f"{name}: {metadata.num_rows:,} rows; at most {budget.rows:,} are read.")
    total = largest = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for column in range(row_group.num_columns):
            chunk = row_group.column(column)
            path = chunk.path_in_schema  # of a list: its column's name and more; names may hold dots themselves
            if any(path == column or path.startswith(f"{column}.") for column in wanted):
                total += max(chunk.total_uncompressed_size, 0)
                largest = max(largest, chunk.total_uncompressed_size)
    if total > budget.bytes:
        raise error(f"{name}: {total:,} bytes when it is unpacked; at most {budget.bytes:,} are read.")
    return largest
