"""The body of a request: bounded in bytes and in time, whatever its sender does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .refusal import RefusalError
from .settings import ServerLimits

_OTHER_PARTS_BYTES = 1 << 20
_DRAIN_S = 10.0
DRAIN = "osbench.drain"


class BodyLimits:
    """Refuses a body that is too large, too slow or silent, while it comes in.

    A client that is refused early still sends: without reading on for a while, it would see a broken connection in
    place of the reason.
    """

    def __init__(self, app: ASGIApp, limits: ServerLimits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(receive, self.limits)
        scope[DRAIN] = body.drain
        await self.app(scope, body.receive, send)


class _Body:
    def __init__(self, receive: Callable[[], Awaitable[Message]], limits: ServerLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._most = limits.archive_bytes + _OTHER_PARTS_BYTES
        self._read = 0
        self._ended = False
        self._deadline = time.monotonic() + limits.upload_s

    async def receive(self) -> Message:
        if self._ended:
            return await self._receive()
        left = min(self._limits.silence_s, self._deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.001))
        except TimeoutError as error:
            raise RefusalError(
                408,
                "too-slow",
                "the upload was silent or took too long.",
                "Check the connection, and send it again.",
                5,
            ) from error
        self._count(message)
        if self._read > self._most:
            raise too_large(self._limits)
        return message

    async def drain(self) -> None:
        """Read on for a while what nobody wants."""
        until = time.monotonic() + min(_DRAIN_S, self._limits.silence_s)
        while not self._ended and self._read <= 2 * self._most and time.monotonic() < until:
            try:
                self._count(await asyncio.wait_for(self._receive(), until - time.monotonic()))
            except (TimeoutError, ValueError):
                return

    def _count(self, message: dict[str, Any] | Message) -> None:
        self._read += len(message.get("body", b""))
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)


def too_large(limits: ServerLimits) -> RefusalError:
    """What a body that is too large is answered."""
    return RefusalError(
        413,
        "upload-too-large",
        f"the upload is larger than {limits.archive_bytes:,} bytes.",
        "Send fewer seeds or rules, or ask the maintainers for a larger limit.",
    )
