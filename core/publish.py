"""Atomic publication: a file or folder under its final name is complete, even after a kill.

A writer works next to the final name, on a *partial* that it locks. A killed writer's lock is gone, so the next writer
in that folder removes what it left; a partial whose writer lives is never touched.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import socket
import time
from collections.abc import Generator, Mapping
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ABANDONED_AFTER_S = 24 * 3600
"""Age at which a partial of another machine, or on a file system without locks, counts as abandoned."""


def partial_path(final: Path) -> Path:
    """Where a process writes before it publishes; machine and process id keep two writers apart."""
    return final.with_name(f".{final.name}.partial-{_machine()}-{os.getpid()}")


@functools.cache
def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def publish(partial: Path, final: Path) -> None:
    """fsync the file, rename it over ``final``, fsync the folder: after a power cut it is there whole or not at all."""
    with partial.open("rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(partial, final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """fsync a folder: the names in it survive a power cut."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def publishing(final: Path) -> Generator[Path, None, None]:
    """A path to write a file to; it is renamed to ``final`` when the block ends. After an error nothing is left."""
    with _claimed(final, folder=False) as partial:
        yield partial
        publish(partial, final)


@contextlib.contextmanager
def publishing_folder(final: Path) -> Generator[Path, None, None]:
    """An empty folder that replaces ``final`` when the block ends. After an error nothing is left.

    Parameters
    ----------
    final : Path
        The folder to publish; its parents are made where they are missing.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    with _claimed(final, folder=True) as partial:
        yield partial
        if final.is_dir():
            shutil.rmtree(final)
        os.replace(partial, final)
        sync_folder(final.parent)


def write_atomically(final: Path, data: bytes) -> None:
    """Replace ``final`` by ``data``; readers see the old or the new file, never a part."""
    with publishing(final) as partial:
        partial.write_bytes(data)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Replace several files of one folder: all of them are written whole before the first takes its place."""
    with contextlib.ExitStack() as stack:
        for final, data in files.items():
            partial = stack.enter_context(publishing(final))
            with partial.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())


def remove_abandoned(folder: Path) -> None:
    """Delete the partials that killed writers left in ``folder`` (not below it); those of live writers stay."""
    with contextlib.suppress(OSError):  # a folder that cannot be listed is an error of the writer, not of this clean-up
        for path in folder.glob(".*.partial-*"):
            _remove_if_abandoned(path)


@contextlib.contextmanager
def _claimed(final: Path, *, folder: bool) -> Generator[Path, None, None]:
    remove_abandoned(final.parent)
    partial = partial_path(final)
    descriptor = _claim(partial, folder)
    try:
        yield partial
    except BaseException:
        _remove(partial)
        raise
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _claim(partial: Path, folder: bool) -> int | None:
    """Make the partial and lock it; None where there are no locks."""
    while True:
        if folder:
            partial.mkdir(exist_ok=True)
        descriptor = os.open(partial, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o666) if fcntl else None
        if fcntl is None or descriptor is None:
            return None
        with contextlib.suppress(OSError):  # a file system without locks: age decides
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another thread may have published or removed what we waited for.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(partial)):
                return descriptor
        os.close(descriptor)


def _remove_if_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError):
        old = time.time() - path.stat().st_mtime > ABANDONED_AFTER_S
        if fcntl is None or f".partial-{_machine()}-" not in path.name:
            if old:
                _remove(path)
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        except BlockingIOError:
            pass  # its writer still runs
        except OSError:
            if old:
                _remove(path)
        finally:
            os.close(descriptor)


def _remove(partial: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if partial.is_dir() and not partial.is_symlink():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink()
