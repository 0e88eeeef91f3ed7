"""``osbench leaderboard serve``, ``token``, ``backup`` and ``restore``: a board that anybody can submit to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..core.errors import UsageError
from .options import emit, handle_errors, json_option

F = TypeVar("F", bound=Callable[..., Any])


def _where(function: F) -> F:
    """Adds ``--dir`` (``folder``) and ``--database``."""
    database = click.option(
        "--database",
        envvar="OSBENCH_DATABASE",
        default=None,
        metavar="URL",
        help="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME; also OSBENCH_DATABASE.  [default: DIR/board.db]",
    )
    folder = click.option(
        "--dir", "folder", type=click.Path(path_type=Path), required=True, help="The folder of the board."
    )
    return folder(database(function))


@click.command()
@_where
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is all.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option(
    "--manifest",
    "manifests",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A manifest with labels that may be answered from now on. Repeatable.",
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Verifications at once.")
@click.option("--bootstrap", type=click.IntRange(min=1), default=1000, show_default=True, help="Replicates.")
@click.option("--max-mb", type=click.IntRange(min=1), default=256, show_default=True, help="Largest upload.")
@click.option("--per-day", type=click.IntRange(min=1), default=20, show_default=True, help="Submissions of a team.")
@click.option("--per-minute", type=click.IntRange(min=1), default=60, show_default=True, help="Uploads of a token.")
@click.option("--silence", type=float, default=30, show_default=True, help="Seconds that a client may be silent.")
@handle_errors
def serve(
    folder: Path,
    database: str | None,
    host: str,
    port: int,
    manifests: tuple[Path, ...],
    workers: int,
    bootstrap: int,
    max_mb: int,
    per_day: int,
    per_minute: int,
    silence: float,
) -> None:
    """Serve a board: people submit, the server verifies and ranks, everybody reads.

    Its files are in DIR, its log is one JSON object a line on stderr. SIGTERM or Ctrl-C ends it after the requests that
    run. Whatever it accepted is there after any end, and what was not verified is verified at the next start. Put a
    proxy with TLS before it: tokens must not travel in the open.
    """
    _need_server()
    from ..leaderboard.server.serve import serve as run
    from ..leaderboard.server.settings import ServerLimits, Settings

    limits = ServerLimits(
        archive_bytes=max_mb << 20,
        unpacked_bytes=4 * max_mb << 20,
        per_day=per_day,
        per_minute=per_minute,
        silence_s=silence,
    )
    run(Settings(folder, database, workers, bootstrap, limits), host, port, manifests)


@click.group()
def token() -> None:
    """Who may submit to a served board: make, list and revoke tokens."""


@token.command()
@_where
@click.option("--team", required=True, help="Whose submissions these will be.")
@click.option("--scope", default="submit", show_default=True, help="submit, or read: its own submissions only.")
@click.option("--days", type=float, default=365, show_default=True, help="How long it is valid.")
@json_option
@handle_errors
def create(folder: Path, database: str | None, team: str, scope: str, days: float, as_json: bool) -> None:
    """Make a token for a team. It is printed once: the database keeps its hash alone."""
    from ..leaderboard.server.tokens import create_token

    made, text = create_token(_engine(folder, database), team, scope, days)
    emit(as_json, made.to_json() | {"token": text}, text)


@token.command("list")
@_where
@json_option
@handle_errors
def list_all(folder: Path, database: str | None, as_json: bool) -> None:
    """All tokens: team, scope, until when, and whether they are still valid."""
    from ..core.columns import text_columns
    from ..leaderboard.server.tokens import list_tokens

    found = [item.to_json() for item in list_tokens(_engine(folder, database))]
    names = ["token_id", "team", "scope", "expires", "state"]
    rows = [names, *([str(item[name]) for name in names] for item in found)]
    emit(as_json, found, text_columns(rows) if found else "no token yet")


@token.command()
@_where
@click.argument("token_id")
@json_option
@handle_errors
def revoke(folder: Path, database: str | None, token_id: str, as_json: bool) -> None:
    """Make the token TOKEN_ID worthless from now on, for a server that runs as well."""
    from ..leaderboard.server.tokens import revoke_token

    gone = revoke_token(_engine(folder, database), token_id)
    emit(as_json, gone.to_json(), f"revoked: {gone.token_id} of team {gone.team}")


@click.command()
@_where
@click.argument("subject", required=False)
@json_option
@handle_errors
def events(folder: Path, database: str | None, subject: str | None, as_json: bool) -> None:
    """The audit log of a board: who did what, and when; of one submission or token (SUBJECT), or all of it."""
    from ..core.columns import text_columns

    engine = _engine(folder, database)
    from ..leaderboard.server.rows import events as logged

    found = logged(engine, subject)
    rows = [[str(value) for value in event.values()] for event in found]
    emit(as_json, found, text_columns([list(found[0]), *rows]) if found else "nothing yet")


@click.command()
@_where
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write, .tar.")
@json_option
@handle_errors
def backup(folder: Path, database: str | None, out: Path, as_json: bool) -> None:
    """Write everything of a board into one file, while its server runs or not."""
    _need_server()
    from ..leaderboard.server.backup import backup as write

    kept = write(folder, _engine(folder, database), out)
    emit(as_json, kept.to_json(), f"{kept.submissions} submissions, {kept.tokens} tokens: {out}")


@click.command()
@_where
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@handle_errors
def restore(folder: Path, database: str | None, file: Path, as_json: bool) -> None:
    """Make a board again from the FILE of a backup, in a new folder and an empty database of either kind."""
    _need_server()
    from ..leaderboard.server.backup import check_empty
    from ..leaderboard.server.backup import restore as read

    check_empty(folder)
    kept = read(file, folder, _engine(folder, database))
    emit(as_json, kept.to_json(), f"{kept.submissions} submissions, {kept.tokens} tokens: {folder}")


def _engine(folder: Path, database: str | None) -> Any:
    _need_server()
    from ..leaderboard.server.database import open_database
    from ..leaderboard.server.settings import Settings

    return open_database(Settings(folder, database))


def _need_server() -> None:
    try:
        import alembic  # noqa: F401
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import sqlalchemy  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"a served board needs the extra 'server' ({error.name} is missing): pip install 'osbench[server]'."
        ) from error
