"""Which picture files somebody means by files, folders, patterns and lists."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import UsageError
from ..core.folders import files_below
from ..core.foreign import check_regular
from ..core.text import natural_order, printable

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
"""Files of a folder that are taken to be pictures. A file that is named itself may be called anything."""

_MAX_LIST_BYTES = 1 << 26


def picture_files(given: Sequence[str | Path]) -> list[Path]:
    """The files behind files, folders and patterns, in the order given and by name within each.

    Parameters
    ----------
    given : sequence of str or Path
        Files, folders (all pictures below them, hidden ones left out), and patterns such as ``scans/**/*.jpg``.

    Returns
    -------
    list of Path
        What names nothing stays as it is, so that it gets an answer that says so.
    """
    found: list[Path] = []
    for one in given:
        path = Path(one)
        if path.exists() or not glob.has_magic(str(one)):
            found += _below(path)
        else:
            matches = sorted(glob.glob(str(one), recursive=True), key=natural_order)
            found += [file for match in matches for file in _below(Path(match))] or [path]
    return found


def listed_files(path: Path) -> list[str]:
    """The lines of a list of files; UsageError if it cannot be read as text."""
    check_regular(path, UsageError, _MAX_LIST_BYTES)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{printable(path)} is no list of files, one in a line, in UTF-8.") from error
    return [line.strip() for line in lines if line.strip()]


def _below(path: Path) -> list[Path]:
    """The pictures of a folder; the path itself where it is none, holds none or cannot be listed."""
    if not path.is_dir():
        return [path]
    try:
        files = [file for file in files_below(path) if file.suffix.lower() in SUFFIXES]
    except OSError:
        return [path]
    return sorted(files, key=lambda file: natural_order(str(file))) or [path]
