from __future__ import annotations

from pathlib import Path

import pytest

from osbench.core.errors import DatasetError
from osbench.generation.ledger import (
    LEDGER,
    LedgerEntry,
    append_ledger,
    check_shard_name,
    read_ledger,
    shard_file,
    write_ledger,
)

ENTRIES = [LedgerEntry(shard_file("g", "t", k, 3), 4, f"{k:064d}") for k in range(3)]


def test_append_and_read(tmp_path: Path) -> None:
    assert read_ledger(tmp_path) == {}
    for entry in ENTRIES:
        append_ledger(tmp_path, entry)
    assert list(read_ledger(tmp_path).values()) == ENTRIES


def test_the_last_line_of_a_shard_counts(tmp_path: Path) -> None:
    again = LedgerEntry(ENTRIES[0].file, 4, "f" * 64)
    for entry in (*ENTRIES, again):
        append_ledger(tmp_path, entry)
    assert read_ledger(tmp_path)[again.file] == again


def test_a_torn_line_at_every_length_loses_only_itself(tmp_path: Path) -> None:
    for entry in ENTRIES[:2]:
        append_ledger(tmp_path, entry)
    whole = (tmp_path / LEDGER).read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        (tmp_path / LEDGER).write_bytes(whole[:length])
        assert list(read_ledger(tmp_path).values()) == ENTRIES[:1]
        append_ledger(tmp_path, ENTRIES[1])
        assert (tmp_path / LEDGER).read_bytes() == whole


def test_finished_ledgers_are_equal_whatever_the_order(tmp_path: Path) -> None:
    write_ledger(tmp_path, ENTRIES)
    first = (tmp_path / LEDGER).read_bytes()
    write_ledger(tmp_path, ENTRIES[::-1])
    assert (tmp_path / LEDGER).read_bytes() == first


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "not json",
        '{"file": "../x", "rows": 1, "sha256": "a"}',
        '{"file": "shards/a/b/shard-00000-of-00001.parquet"}',
    ],
)
def test_damaged_lines_are_dataset_errors(tmp_path: Path, line: str) -> None:
    (tmp_path / LEDGER).write_text(line + "\n")
    with pytest.raises(DatasetError, match="line 1"):
        read_ledger(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "shards/../../x/shard-00000-of-00001.parquet",
        "shards/a/../shard-00000-of-00001.parquet",
        "shards/a/b/c.parquet",
        "",
    ],
)
def test_names_that_leave_the_dataset_are_refused(name: str) -> None:
    with pytest.raises(DatasetError):
        check_shard_name(name)
