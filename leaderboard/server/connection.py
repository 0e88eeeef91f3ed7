"""Connections that say nothing: who does not send the head of a request in time is let go."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def impatient(silence_s: float) -> type[H11Protocol]:
    """The HTTP protocol of uvicorn, which closes a connection whose first request has not begun after some seconds.

    It closes idle connections between requests by itself; :mod:`.body` bounds the time of a body.
    """

    class Impatient(H11Protocol):
        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._patience = self.loop.call_later(silence_s, self._give_up)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._patience is not None:
                self._patience.cancel()
            super().connection_lost(exc)

        def _give_up(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    return Impatient
