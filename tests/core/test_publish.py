from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
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


def test_a_folder_is_published_whole_and_replaces_another(tmp_path: Path) -> None:
    final = tmp_path / "below" / "folder"
    for text in ("one", "two"):
        with publish.publishing_folder(final) as partial:
            (partial / f"{text}.txt").write_text(text)
            assert not (final / f"{text}.txt").exists()
        assert [path.name for path in final.iterdir()] == [f"{text}.txt"]

    def fail_half_way() -> None:
        with publish.publishing_folder(final) as partial:
            (partial / "x").write_text("part")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        fail_half_way()
    assert [path.name for path in final.iterdir()] == ["two.txt"]
    assert list(final.parent.iterdir()) == [final]


def write_and_wait(final: Path, folder: bool, started: Path) -> None:
    with (publish.publishing_folder if folder else publish.publishing)(final) as partial:
        (partial / "file" if folder else partial).write_bytes(b"half")
        started.write_text("")
        time.sleep(60)


@pytest.mark.parametrize("folder", [False, True])
def test_the_next_writer_removes_what_a_killed_one_left_and_no_living_one(tmp_path: Path, folder: bool) -> None:
    place = tmp_path / "place"
    place.mkdir()
    arguments = (place / "one", folder, tmp_path / "started")
    writer = multiprocessing.get_context("fork").Process(target=write_and_wait, args=arguments)
    writer.start()
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    publish.write_atomically(place / "two", b"2")
    (left,) = [path for path in place.iterdir() if path.name != "two"]
    assert left.name.startswith(".one.partial-")
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert left.exists()
    publish.write_atomically(place / "two", b"2")
    assert [path.name for path in place.iterdir()] == ["two"]


def test_what_another_machine_writes_is_left_for_a_day(tmp_path: Path) -> None:
    young, old = (tmp_path / f".{name}.partial-0ther-12" for name in ("young", "old"))
    for path, hours in ((young, 1), (old, 25)):
        path.write_bytes(b"x")
        then = time.time() - hours * 3600
        os.utime(path, (then, then))
    publish.write_atomically(tmp_path / "two", b"2")
    assert sorted(tmp_path.iterdir()) == [young, tmp_path / "two"]


def test_threads_that_write_one_file_take_turns(tmp_path: Path) -> None:
    final, errors = tmp_path / "file", []

    def write(text: bytes) -> None:
        try:
            for _ in range(20):
                publish.write_atomically(final, text * 1000)
                assert len(final.read_bytes()) == 1000
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert list(tmp_path.iterdir()) == [final]
