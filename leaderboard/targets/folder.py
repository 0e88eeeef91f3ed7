"""A folder as a target, for example one that a group shares."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ...core.errors import RunError
from ...core.locking import exclusive
from ...core.publish import publishing_folder, remove_abandoned
from ..submission import Submission
from .receipt import ALREADY_SUBMITTED, SUBMITTED, Receipt


class FolderTarget:
    """Submissions as sub-folders of ``root``; each appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def submit(self, submission: Submission) -> Receipt:
        """Write the files next to their place and rename the folder into it; one writer at a time per submission."""
        final = self.root / submission.path
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(final.with_name(f".{final.name}.lock")):
                if final.is_dir():
                    remove_abandoned(final.parent)
                    return Receipt(ALREADY_SUBMITTED, str(final))
                with publishing_folder(final) as partial:
                    for name, data in submission.files.items():
                        (partial / name).parent.mkdir(exist_ok=True)
                        _write(partial / name, data)
        except OSError as error:
            self._remove_empty(final.parent)
            reason = error.strerror or str(error)
            raise RunError(
                f"cannot submit to folder {self.root}: {reason}. Check the path, its permissions and its free space."
            ) from error
        return Receipt(SUBMITTED, str(final))

    def _remove_empty(self, folder: Path) -> None:
        for path in (folder, folder.parent):
            with contextlib.suppress(OSError):
                path.rmdir()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
