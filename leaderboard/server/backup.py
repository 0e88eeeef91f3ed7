"""Everything of a board in one file, and a board from it.

::

    rows/<table>.jsonl      every row of the database, as JSON
    manifests/...           what may be answered
    files/<sha256>/...      the files of every submission

Rows are read in one transaction, before the files: a submission's files are there before its row is, and never change,
so a backup of a running server is whole. It does not depend on the kind of database.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...core.documents import to_json
from ...core.errors import RunError, UsageError
from ...core.publish import publishing, sync_folder
from ...core.text import printable
from .database import EVENTS, SUBMISSIONS, TOKENS
from .store import Store

_TABLES = (TOKENS, SUBMISSIONS, EVENTS)


@dataclass(frozen=True)
class Kept:
    """What is in a backup."""

    submissions: int
    tokens: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return to_json(self)


def backup(folder: Path, engine: sa.Engine, out: Path) -> Kept:
    """Write a backup; RunError if files of a submission are missing."""
    store = Store(folder)
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            rows = {
                table.name: [dict(row._mapping) for row in connection.execute(sa.select(table))] for table in _TABLES
            }
    out.parent.mkdir(parents=True, exist_ok=True)
    with publishing(out) as partial, tarfile.open(partial, "w") as archive:
        for name, found in rows.items():
            text = "".join(json.dumps(row) + "\n" for row in found).encode()
            info = tarfile.TarInfo(f"rows/{name}.jsonl")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
        for path in sorted(store.manifests.glob("*.parquet")):
            archive.add(path, f"manifests/{path.name}")
        for row in rows[SUBMISSIONS.name]:
            _add(archive, store, row["digest"], row["method"])
    return Kept(len(rows[SUBMISSIONS.name]), len(rows[TOKENS.name]))


def _add(archive: tarfile.TarFile, store: Store, digest: str, method: str) -> None:
    for _ in range(10):
        found = store.find(digest, method)
        if found is None:
            continue
        try:
            data = {path.relative_to(found).as_posix(): path.read_bytes() for path in _files(found)}
        except FileNotFoundError:  # the server moved it on in this moment
            continue
        if data:
            for name, content in data.items():
                info = tarfile.TarInfo(f"files/{digest}/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            return
    raise RunError(f"submission {digest[:12]} ({printable(method)}): its files are not in {printable(store.folder)}.")


def check_empty(folder: Path) -> None:
    """UsageError if a folder holds anything: a restored board never mixes with another."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{printable(folder)} is not empty: restore into a new folder.")


def restore(file: Path, folder: Path, engine: sa.Engine) -> Kept:
    """Make a board from a backup.

    Parameters
    ----------
    file : Path
        The backup.
    folder : Path
        The new board's folder (:func:`check_empty`).
    engine : Engine
        Its database, with tables and without rows; UsageError otherwise.
    """
    with engine.connect() as connection:
        if any(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in _TABLES):
            raise UsageError("the database holds a board already: restore into an empty one.")
    store = Store(folder)
    store.prepare()
    with store.staging() as staging:
        try:
            with tarfile.open(file) as archive:
                archive.extractall(staging, filter="data")
            rows = {table.name: _rows(staging / "rows" / f"{table.name}.jsonl") for table in _TABLES}
        except (tarfile.TarError, OSError, ValueError, EOFError) as error:
            raise RunError(f"{printable(file)} is no backup of a board ({printable(error)}).") from error
        for path in sorted((staging / "manifests").glob("*.parquet")):
            os.replace(path, store.manifests / path.name)
        for row in rows[SUBMISSIONS.name]:
            staged = staging / "files" / str(row["digest"])
            _sync([*_files(staged), *(path for path in staged.rglob("*") if path.is_dir()), staged])
            store.keep(staged, str(row["method"]))
            if row["status"] == "accepted":
                store.accept(str(row["digest"]), str(row["method"]))
            elif row["status"] == "refused":
                store.refuse(str(row["digest"]), str(row["method"]))
    with engine.begin() as connection:
        for table in _TABLES:
            if rows[table.name]:
                connection.execute(table.insert(), rows[table.name])
        if engine.dialect.name == "postgresql":  # the counter does not see numbers that were given
            connection.execute(
                sa.text(
                    "SELECT setval(pg_get_serial_sequence('events', 'event_id'), (SELECT max(event_id) FROM events))"
                )
            )
    return Kept(len(rows[SUBMISSIONS.name]), len(rows[TOKENS.name]))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
