"""Atomic publication: a file under its final name is complete, whatever kills the process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def partial_path(final: Path) -> Path:
    """Where a process writes before it publishes; the process id keeps two writers apart."""
    return final.with_name(f".{final.name}.partial-{os.getpid()}")


def publish(partial: Path, final: Path) -> None:
    """fsync the file, rename it over ``final``, fsync the folder: after a power cut it is there whole or not at all."""
    with partial.open("rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(partial, final)
    if os.name != "nt":  # Windows cannot open a folder
        descriptor = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def publishing(final: Path) -> Iterator[Path]:
    """Where to write a file that takes its place, ``final``, when the block ends; after an error nothing is left."""
    partial = partial_path(final)
    try:
        yield partial
        publish(partial, final)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(final: Path, data: bytes) -> None:
    """Replace ``final`` by ``data``; readers see the old or the new file, never a part."""
    with publishing(final) as partial:
        partial.write_bytes(data)


def remove_partials(folder: Path) -> None:
    """Delete what killed writers left below ``folder``."""
    for path in folder.rglob(".*.partial-*"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
