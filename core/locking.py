"""One process at a time, where several may write the same file or folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .progress import get_logger


@contextmanager
def exclusive(path: Path, busy: Exception | None = None) -> Generator[None, None, None]:
    """Hold the lock file ``path``, which is removed afterwards; the lock of a killed process is free.

    Parameters
    ----------
    path : Path
        The lock file; its folder is made where it is missing.
    busy : Exception, optional
        What to raise while another process holds the lock. Without it, wait for the other process.
    """
    handle = _take(path, busy)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        handle.close()


def _take(path: Path, busy: Exception | None) -> IO[str]:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
        try:
            _lock(handle, path, busy)
            # The process before may have removed the file that we waited for: nobody else waits for it any more.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle.fileno()), os.stat(path)):
                    return handle
        except BaseException:
            handle.close()
            raise
        handle.close()


def _lock(handle: IO[str], path: Path, busy: Exception | None) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: the files are published atomically, so two processes only do the same work twice
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if busy is not None:
            raise busy from error
        get_logger().info("waiting for another process that holds %s", path)
        fcntl.flock(handle, fcntl.LOCK_EX)
