"""A lock is held by one process at a time, and freed by the system when its owner dies."""

import multiprocessing
import os
import time

from osbench.core.locking import exclusive


def _append(path, line):
    with exclusive(path / "lock"):
        before = (path / "log").read_text() if (path / "log").exists() else ""
        time.sleep(0.2)
        (path / "log").write_text(before + line)


def _die(path):
    with exclusive(path / "lock"):
        os._exit(9)


def test_two_processes_take_turns(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append, args=(tmp_path, f"{i}\n")) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert sorted((tmp_path / "log").read_text().split()) == ["0", "1", "2"]


def test_a_dead_owner_lets_go(tmp_path):
    worker = multiprocessing.get_context("spawn").Process(target=_die, args=(tmp_path,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 9
    _append(tmp_path, "mine")
    assert (tmp_path / "log").read_text() == "mine"
