"""One upload, from the API or from the form: who sends it, how often, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from .body import too_large
from .intake import Taken
from .refusal import RefusalError
from .service import Service
from .tokens import Token, authenticate


async def who(request: Request, served: Service, text: str | None, scope: str) -> Token:
    """The token of a request; RefusalError if it is none. Guessing is slowed down by address."""
    address = request.client.host if request.client else "unknown"
    if not text:
        raise RefusalError(401, "token-missing", "there is no token.", "Send the header 'Authorization: Bearer TOKEN'.")
    try:
        return await asyncio.to_thread(authenticate, served.engine, text, scope)
    except RefusalError:
        served.wrong_tokens.check(address)
        raise


def bearer(request: Request) -> str | None:
    """The text of the header ``Authorization: Bearer ...``."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" and text.strip() else None


def check_size(request: Request, served: Service) -> None:
    """RefusalError for a body that says that it is too large, before it is read."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > served.settings.limits.archive_bytes + (1 << 20):
        raise too_large(served.settings.limits)


@asynccontextmanager
async def form(request: Request) -> AsyncIterator[FormData]:
    """The parts of a form; RefusalError if it is none."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _no_archive()
    try:
        parts = await request.form(max_files=1, max_fields=4)
    except (HTTPException, ValueError, KeyError, AssertionError) as error:
        raise RefusalError(
            400, "form-damaged", "the form cannot be read.", "Send multipart/form-data with one file, 'archive'."
        ) from error
    try:
        yield parts
    finally:
        await parts.close()


async def take(served: Service, token: Token, parts: FormData) -> Taken:
    """Take in the file of a form."""
    served.uploads.check(token.token_id)
    archive = parts.get("archive")
    if not isinstance(archive, UploadFile):
        raise _no_archive()
    file: BinaryIO = archive.file
    taken = await asyncio.to_thread(served.intake.take, file, token)
    served.observed.uploads.labels(taken.status).inc()
    served.observed.log(taken.status, submission=taken.row.digest, team=token.team, token=token.token_id)
    served.verifying.wake()
    return taken


def _no_archive() -> RefusalError:
    return RefusalError(
        422, "archive-missing", "there is no file 'archive' in the form.", "Send multipart/form-data with one ZIP file."
    )
