"""Where the files of submissions are. A submission is in one of three places, whole, and moves by one rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...core.publish import sync_folder
from ..submission import SUBMISSIONS_FOLDER


class Store:
    """The folders of a server (:mod:`osbench.leaderboard.server`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uploads = folder / "uploads"
        self.incoming = folder / "incoming"
        self.accepted = folder / SUBMISSIONS_FOLDER
        self.refused = folder / "refused"
        self.manifests = folder / "manifests"
        self.boards = folder / "boards"

    def prepare(self) -> None:
        """Make the folders, and remove the parts of uploads that a killed server left: nobody was told of them."""
        shutil.rmtree(self.uploads, ignore_errors=True)
        for path in (self.uploads, self.incoming, self.accepted, self.refused, self.manifests, self.boards):
            path.mkdir(parents=True, exist_ok=True)
        sync_folder(self.folder)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty folder for one upload; removed with what is still in it."""
        path = Path(tempfile.mkdtemp(dir=self.uploads))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def find(self, digest: str, method: str) -> Path | None:
        """The folder of a submission, wherever it is."""
        places = (self.incoming / digest, self.accepted / method / digest, self.refused / digest)
        return next((path for path in places if path.is_dir()), None)

    def keep(self, staged: Path, method: str) -> None:
        """Take a written and synced folder in; one of the same content, which may be there already, stays."""
        if self.find(staged.name, method) is None:
            os.replace(staged, self.incoming / staged.name)
            sync_folder(self.incoming)

    def accept(self, digest: str, method: str) -> None:
        """Move a submission to those that the boards are built from."""
        self._move(digest, method, self.accepted / method / digest)

    def refuse(self, digest: str, method: str) -> None:
        """Move a submission to those that were found wrong."""
        self._move(digest, method, self.refused / digest)

    def _move(self, digest: str, method: str, to: Path) -> None:
        found = self.find(digest, method)
        if found is None or found == to:
            return
        to.parent.mkdir(parents=True, exist_ok=True)
        os.replace(found, to)
        for folder in (to.parent, to.parent.parent, found.parent):
            sync_folder(folder)

    def has_manifest(self, manifest_id: str) -> bool:
        """Whether the board has this manifest. The id must have been checked: it becomes part of a path."""
        return (self.manifests / f"{manifest_id}.parquet").is_file()
