"""Atomic publication: a file under its final name is complete, whatever kills the process."""

from __future__ import annotations

import contextlib
import os
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


def write_atomically(final: Path, data: bytes) -> None:
    """Replace ``final`` by ``data``; readers see the old or the new file, never a part."""
    partial = partial_path(final)
    try:
        partial.write_bytes(data)
        publish(partial, final)
    finally:
        partial.unlink(missing_ok=True)


def remove_partials(folder: Path) -> None:
    """Delete what killed writers left below ``folder``."""
    for path in folder.rglob(".*.partial-*"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
