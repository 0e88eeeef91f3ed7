"""A board's server as a target: ``osbench leaderboard serve``."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from ...core.errors import RunError, UsageError
from ...core.progress import get_logger
from ...core.text import printable
from ..server.archive import pack
from ..submission import Submission
from .receipt import ALREADY_SUBMITTED, SUBMITTED, Receipt

TOKEN_VARIABLE = "OSBENCH_TOKEN"
PAUSES_S = (1.0, 4.0, 15.0)
SILENCE_S = 60.0
LIMIT_S = 900.0
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_PAUSE_S = 120.0
_MAX_ANSWER_BYTES = 1 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the host that was named, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class ServerTarget:
    """The board at an address.

    Parameters
    ----------
    address : str
        ``http://HOST`` or ``https://HOST``, with a port or a path where it has one.
    token : str
        Of the team.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self.token = token
        self._opener = urllib.request.build_opener(_NoRedirect)

    @classmethod
    def from_environment(cls, address: str) -> ServerTarget:
        """With the token of ``OSBENCH_TOKEN``; UsageError if there is none, or for an address that is none."""
        parts = urlsplit(address)
        if not parts.hostname or parts.query or parts.fragment or parts.username:
            raise UsageError(
                f"'{printable(address)}' is no address of a board: write http(s)://HOST or http(s)://HOST:PORT."
            )
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise UsageError(f"no token for {address}: ask the board's maintainers for one, and set {TOKEN_VARIABLE}.")
        if not (token.isascii() and token.isprintable()):
            raise UsageError(f"{TOKEN_VARIABLE} holds no token: it has characters that no token has.")
        return cls(address, token)

    def submit(self, submission: Submission) -> Receipt:
        """Send the files as one archive; a server that is busy, fails or keeps silent is asked again, ever more slowly.

        The server names a submission by its content, so an answer that was lost on its way makes no second one.
        """
        body, kind = _form(pack(submission), submission.digest)
        until = time.monotonic() + LIMIT_S
        for pause in (*PAUSES_S, None):
            try:
                return self._send(body, kind)
            except urllib.error.HTTPError as error:
                said, wait = _said(error), _wait(error, pause)
                if wait is None or time.monotonic() + wait > until:
                    raise RunError(f"{self.address} refuses the submission: {said}") from error
                reason = said
            except (OSError, http.client.HTTPException) as error:
                wait, reason = pause, printable(getattr(error, "reason", error) or type(error).__name__)
                if wait is None or time.monotonic() + wait > until:
                    raise RunError(
                        f"{self.address} cannot be reached ({reason}): check the address and the network, or try again "
                        "later; the same command submits nothing twice."
                    ) from error
            get_logger().info("%s: %s; once more in %.0f s", self.address, reason, wait)
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, body: bytes, kind: str) -> Receipt:
        request = urllib.request.Request(
            f"{self.address}/api/v1/submissions",
            body,
            {"Authorization": f"Bearer {self.token}", "Content-Type": kind, "Accept": "application/json"},
            method="POST",
        )
        with self._opener.open(request, timeout=SILENCE_S) as answer:
            data = answer.read(_MAX_ANSWER_BYTES)
        try:
            document = json.loads(data)
            status, location = document["status"], document["location"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(f"{self.address} answers like no board of osbench: check the address.") from error
        if status not in (SUBMITTED, ALREADY_SUBMITTED) or not isinstance(location, str):
            raise RunError(f"{self.address} answers like no board of osbench: check the address.")
        return Receipt(status, printable(location, 1000))


def _form(archive: bytes, digest: str) -> tuple[bytes, str]:
    """A form with one file, and its content type."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="archive"; filename="{digest}.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    return head.encode() + archive + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _said(error: urllib.error.HTTPError) -> str:
    """What a server says about a refusal, in one line."""
    try:
        said = json.loads(error.read(_MAX_ANSWER_BYTES))["error"]
        return f"{printable(said['message'], 500)} {printable(said['remedy'], 300)}"
    except (ValueError, KeyError, TypeError, RecursionError, OSError, http.client.HTTPException):
        return f"status {error.code}; check the address."


def _wait(error: urllib.error.HTTPError, pause: float | None) -> float | None:
    """Seconds to wait before another attempt; None if none would help, or if this was the last."""
    if pause is None or error.code not in _TRY_AGAIN:
        return None
    asked = error.headers.get("Retry-After", "0")
    wait = max(pause, float(asked) if asked.isdigit() else 0.0)
    return wait if wait <= _LONGEST_PAUSE_S else None
