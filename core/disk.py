"""Free disk space, checked before much is written: a memory map on a full disk kills the process without a message."""

from __future__ import annotations

import shutil
from pathlib import Path


def shortage(folder: Path, needed: int) -> str | None:
    """What to say if the disk of ``folder`` is too full.

    Parameters
    ----------
    folder : Path
        Where the bytes will be written; it need not exist yet.
    needed : int
        Bytes.

    Returns
    -------
    str or None
        ``"2,000 MB in FOLDER, where 1,000 MB are free"``; None if there is enough space.
    """
    path = folder.absolute()
    free = shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free
    return None if needed <= free else f"{needed / 1e6:,.0f} MB in {folder}, where {free / 1e6:,.0f} MB are free"
