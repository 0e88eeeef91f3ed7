"""Limits on file sizes: a zoo is shipped with the package, and its training pictures are sent to other machines."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import DatasetError

#: Bytes of one model's weights, of a whole zoo folder with its card, and of the packed pictures.
MODEL_BYTES = 4_000_000
ZOO_BYTES = 60_000_000
PICTURES_BYTES = 40_000_000


def check_size(path: Path, limit: int, remedy: str) -> None:
    """DatasetError, with what to do about it, if a file, or everything below a folder, is larger than ``limit``."""
    files = path.rglob("*") if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    if size > limit:
        raise DatasetError(f"{path}: {size / 1e6:.2f} MB, at most {limit / 1e6:.0f} MB are allowed; {remedy}.")
