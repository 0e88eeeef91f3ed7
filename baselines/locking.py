"""One process at a time, where several share a file of the user's cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..generation.progress import get_logger


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock file ``path``, then hold it; a process that dies lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                get_logger().info("waiting for another process that holds %s", path)
                fcntl.flock(handle, fcntl.LOCK_EX)
        except ImportError:  # Windows: two processes would only do the same work twice
            pass
        yield
