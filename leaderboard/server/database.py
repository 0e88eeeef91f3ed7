"""The tables of a server, and the connection to them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ...core.errors import OsbenchError, UsageError
from ...core.locking import exclusive
from ...core.text import printable
from .settings import Settings

METADATA = sa.MetaData()

TOKENS = sa.Table(
    "tokens",
    METADATA,
    sa.Column("token_id", sa.String(16), primary_key=True),
    sa.Column("team", sa.String(64), nullable=False),
    sa.Column("scope", sa.String(16), nullable=False),
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("expires", sa.Double, nullable=False),
    sa.Column("revoked", sa.Double),
)
"""Who may submit. Of a secret there is only the hash. Times are seconds since 1970."""

SUBMISSIONS = sa.Table(
    "submissions",
    METADATA,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("team", sa.String(64), nullable=False),
    sa.Column("method", sa.String(200), nullable=False),
    sa.Column("manifest_id", sa.String(64), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("received", sa.Double, nullable=False),
    sa.Column("finished", sa.Double),
    sa.Column("problems", sa.Text, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
)
"""What was received; ``problems`` and ``metrics`` are JSON."""

EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("event_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(100), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
"""The audit log: who did what, to what. Rows are added and never changed."""


class DatabaseError(OsbenchError):
    """The database of a server cannot be used."""


def open_database(settings: Settings) -> sa.Engine:
    """The database of a server, with its newest tables; DatabaseError or UsageError in one line if it cannot be."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    try:
        address = sa.make_url(settings.address)
        local = address.get_backend_name() == "sqlite"
        pool: dict[str, Any] = {} if local else {"pool_pre_ping": True}
        engine = sa.create_engine(address, pool_size=16, max_overflow=48, **pool)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(
            f"database '{printable(_without_password(settings.address))}' is no address that can be used: write "
            "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
        ) from error
    if local:
        event.listen(engine, "connect", _durable)
    try:
        with exclusive(settings.folder / ".migration.lock"), engine.begin() as connection:
            _migrate(connection)
    except SQLAlchemyError as error:
        raise DatabaseError(
            f"database {printable(engine.url.render_as_string(hide_password=True))}: cannot be used "
            f"({first_line(error)}). Check that it runs, and its address and rights."
        ) from error
    return engine


def record(connection: sa.Connection, at: float, actor: str, action: str, subject: str, detail: str = "") -> None:
    """Add an event to the audit log, within the transaction of what it tells of."""
    connection.execute(
        EVENTS.insert().values(at=at, actor=actor, action=action, subject=subject, detail=printable(detail, 1000))
    )


def first_line(error: BaseException) -> str:
    """What an error of the database says, without the statement."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return printable(lines[0]) if lines else type(cause).__name__


def _without_password(address: str) -> str:
    head, sign, tail = address.rpartition("@")
    return f"{head.partition('://')[0]}://...{sign}{tail}" if sign else address


def _durable(connection: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        for setting in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}")


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
