"""``osbench leaderboard serve``: one process on one folder, until it is told to stop."""

from __future__ import annotations

import signal
from pathlib import Path

import uvicorn

from ...benchmark.manifest import read_manifest
from ...benchmark.runs import store_manifest
from ...core.errors import UsageError
from ...core.locking import exclusive
from .app import create_app
from .connection import impatient
from .database import open_database
from .observe import log_as_json
from .settings import Settings

_SHUTDOWN_S = 30
_KEEP_ALIVE_S = 10


def serve(settings: Settings, host: str = "127.0.0.1", port: int = 8000, manifests: tuple[Path, ...] = ()) -> None:
    """Serve a board until SIGTERM or Ctrl-C; requests that run are finished first.

    Parameters
    ----------
    settings : Settings
        Folder, database and limits.
    host : str
        The address to listen on; by default only this machine sees it.
    port : int
        The port.
    manifests : tuple of Path
        Manifests, with the labels of the test images, to add to those that may be answered.
    """
    for path in manifests:
        store_manifest(settings.folder, read_manifest(path))
    if not any((settings.folder / "manifests").glob("*.parquet")):
        raise UsageError(
            f"{settings.folder} has no manifest, so nothing could be submitted: add one with --manifest FILE."
        )
    busy = UsageError(f"{settings.folder} is served by another process: stop it, or use another folder.")
    with exclusive(settings.folder / ".serve.lock", busy):
        engine = open_database(settings)
        log_as_json()
        app = create_app(settings, engine)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=impatient(settings.limits.silence_s),
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=settings.limits.requests,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        app.state.service.observed.log("listening", host=host, port=port, folder=str(settings.folder))
        # uvicorn ends in order, then raises the signal once more: an end that was asked for is no failure.
        signal.signal(signal.SIGTERM, lambda *_: None)
        uvicorn.Server(config).run()
        engine.dispose()
