from __future__ import annotations

import os
from pathlib import Path

import pytest

from osbench.core import publish


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    publish.write_atomically(target, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        publish.write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_rests_of_killed_writers_are_removed(tmp_path: Path) -> None:
    rest = publish.partial_path(tmp_path / "a" / "shard.parquet")
    rest.parent.mkdir()
    rest.write_bytes(b"half")
    keep = tmp_path / "a" / "shard.parquet"
    keep.write_bytes(b"whole")
    publish.remove_partials(tmp_path)
    assert list((tmp_path / "a").iterdir()) == [keep]


def test_what_is_written_in_the_block_is_published_or_gone(tmp_path: Path) -> None:
    final = tmp_path / "a.bin"
    with publish.publishing(final) as partial:
        partial.write_bytes(b"whole")
        assert not final.exists()
    assert final.read_bytes() == b"whole"

    def fail_half_way() -> None:
        with publish.publishing(final) as partial:
            partial.write_bytes(b"part")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        fail_half_way()
    assert final.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [final]
