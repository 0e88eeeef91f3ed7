"""Everything below a folder, however deep it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """Regular files below a folder, in no order; links to files are followed, links to folders are not.

    Hidden files and folders are left out. OSError for a folder that cannot be listed: nothing vanishes in silence.
    ``Path.rglob`` ends at a depth of a thousand folders, and leaves out what it may not read.
    """
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file():
                    yield Path(entry.path)
