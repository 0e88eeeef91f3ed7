from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from osbench.core.errors import RunError
from osbench.core.foreign import TableBudget, check_regular, read_foreign, read_json, read_table


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, text in (
        (tmp_path / "pipe", "a named pipe"),
        (tmp_path, "a folder"),
        (Path("/dev/zero"), "a device"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "loop", "cannot be read"),
        (tmp_path / "a\0b", "cannot be read"),
    ):
        with pytest.raises(RunError, match=text) as caught:
            check_regular(path, RunError)
        assert "\n" not in str(caught.value)
        assert "\0" not in str(caught.value)


def test_a_file_is_read_within_its_budget(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_foreign(path, RunError, 5) == b"12345"
    with pytest.raises(RunError, match="at most 4"):
        read_foreign(path, RunError, 4)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 150 + "]" * 150, '{"a": ', "\xff"])
def test_documents_that_are_no_documents(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"x\.json"):
        read_json(path, RunError, 1 << 20)
    path.write_text(json.dumps({"a": [1, {"b": None}]}))
    assert read_json(path, RunError, 1 << 20) == {"a": [1, {"b": None}]}


def test_a_table_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"a": ["x", "y", "x"], "b": [1, 2, 3], "c": [[1.0], [], [2.0, 3.0]]})
    pq.write_table(table, path)
    budget = TableBudget(rows=3, bytes=10_000)
    assert read_table(path, RunError, budget).equals(table)
    assert read_table(path, RunError, budget, ["c", "a"]).equals(table.select(["c", "a"]))
    pq.write_table(table.slice(0, 0), path)
    assert read_table(path, RunError, budget).num_rows == 0
    with pytest.raises(RunError, match="'d' is missing"):
        read_table(path, RunError, budget, ["d"])


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"a": pa.array(["x" * 1000]).take(pa.array(np.zeros(200_000, int)))}), path)
    with pytest.raises(RunError, match="200,000 rows"):
        read_table(path, RunError, TableBudget(rows=1000, bytes=1 << 20))
    assert path.stat().st_size < 100_000
    with pytest.raises(RunError, match="when it is unpacked"):
        read_table(path, RunError, TableBudget(rows=1 << 20, bytes=1 << 20))


def test_damaged_tables_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(1000))}), path)
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[:-3],
        whole[: len(whole) // 2],
        b"PAR1" + whole[:40],
        whole[:-8] + b"\xff\xff\xff\x7fPAR1",
    ):
        path.write_bytes(damaged)
        with pytest.raises(RunError) as caught:
            read_table(path, RunError, TableBudget(rows=2000, bytes=1 << 20))
        assert "\n" not in str(caught.value)
