"""A folder as a target, for example one that a group shares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ...core.errors import RunError
from ...core.publish import write_atomically
from .submission import ALREADY_SUBMITTED, SUBMITTED, Receipt, Submission


class FolderTarget:
    """Submissions as sub-folders of ``root``; each appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def submit(self, submission: Submission) -> Receipt:
        """Write the files beside their place and rename the folder into it."""
        final = self.root / submission.path
        if final.is_dir():
            return Receipt(ALREADY_SUBMITTED, str(final))
        partial = final.with_name(f".{final.name[:12]}.partial-{os.getpid()}")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for name, data in submission.files.items():
                write_atomically(partial / name, data)
            os.rename(partial, final)
        except OSError as error:
            if final.is_dir():  # somebody else submitted the same run in the meantime
                return Receipt(ALREADY_SUBMITTED, str(final))
            reason = error.strerror or str(error)
            raise RunError(
                f"cannot submit to folder {self.root}: {reason}. Check the path and its permissions."
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return Receipt(SUBMITTED, str(final))
