"""Taking a submission in: checked, written, renamed, and only then in the database."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import sqlalchemy as sa

from ...core.disk import shortage
from ...core.errors import RunError
from ...core.text import printable
from ..submission import fit_title, open_submission
from . import rows
from .archive import unpack
from .refusal import RefusalError
from .settings import ServerLimits
from .store import Store
from .tokens import Token

_RESERVE_BYTES = 64 << 20


@dataclass(frozen=True)
class Taken:
    """What became of an upload."""

    status: Literal["submitted", "already submitted"]
    row: rows.Row


class Intake:
    """Takes submissions, any number at the same time; of the same content one is kept."""

    def __init__(self, engine: sa.Engine, store: Store, limits: ServerLimits) -> None:
        self.engine = engine
        self.store = store
        self.limits = limits
        self._turn = threading.Lock()

    def take(self, handle: BinaryIO, token: Token) -> Taken:
        """Take in the archive of a team; RefusalError, with nothing stored, if anything about it is wrong.

        What is checked here are the archive, its documents and hashes, and that the board has the manifest. Predictions
        are read later, by a process of their own.
        """
        if shortage(self.store.folder, self.limits.unpacked_bytes + _RESERVE_BYTES):
            raise RefusalError(
                507,
                "disk-full",
                "the server has no free disk space.",
                "Try again later; the maintainers can see it.",
                600,
            )
        with self.store.staging() as staging:
            folder = unpack(handle, staging, self.limits.unpacked_bytes)
            row = self._describe(folder, token)
            with self._turn:
                return self._keep(folder, row, token)

    def _describe(self, folder: Path, token: Token) -> rows.Row:
        try:
            runs = open_submission(folder)
        except RunError as error:
            message = printable(str(error).replace(str(folder), "the submission"), 500)
            raise RefusalError(
                422, "submission-invalid", message, "Make it again with `osbench submit`, and send it unchanged."
            ) from error
        first = runs[0]
        if not self.store.has_manifest(first.manifest_id):
            raise RefusalError(
                422,
                "manifest-unknown",
                f"the runs answer manifest {first.manifest_id[:12]}, which is none of this board's.",
                "Evaluate on the manifest that the board publishes.",
            )
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return rows.Row(
            digest=folder.name,
            team=token.team,
            method=first.method,
            manifest_id=first.manifest_id,
            title=fit_title(runs),
            bytes=size,
            status="waiting",
            attempts=0,
            received=time.time(),
            finished=None,
            problems=(),
            metrics={},
        )

    def _keep(self, folder: Path, row: rows.Row, token: Token) -> Taken:
        there = rows.find(self.engine, row.digest)
        if there is not None:
            return self._already(there, token)
        if rows.received_today(self.engine, token.team) >= self.limits.per_day:
            raise RefusalError(
                429,
                "team-day-limit",
                f"team {token.team} sent {self.limits.per_day} submissions in 24 hours, which is the limit.",
                "Send it tomorrow, or ask the maintainers.",
                3600,
            )
        self.store.keep(folder, row.method)
        rows.add(self.engine, row, f"token {token.token_id}")
        return Taken("submitted", row)

    def _already(self, there: rows.Row, token: Token) -> Taken:
        if there.team != token.team:
            raise RefusalError(
                409,
                "other-team",
                "the same files were submitted by another team.",
                "If they are yours, write to the maintainers.",
            )
        if there.status == "failed":
            rows.wait_again(self.engine, there.digest, f"token {token.token_id}")
            there = rows.find(self.engine, there.digest) or there
        return Taken("already submitted", there)
