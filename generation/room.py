"""Room on a disk, asked for before a memory map is written: on a full disk that kills the process without a message."""

from __future__ import annotations

import shutil
from pathlib import Path


def shortage(folder: Path, needed: int) -> str | None:
    """None if ``needed`` bytes are free where ``folder`` lies; else for a message, "2.0 GB in FOLDER, 1.0 GB are free".

    ``folder`` must exist.
    """
    free = shutil.disk_usage(folder).free
    return None if needed <= free else f"{needed / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free"
