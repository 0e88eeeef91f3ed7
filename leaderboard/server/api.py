"""The interface for programs, ``/api/v1``, and what those who run the server ask."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from . import boards, rows, upload
from .documents import AUTHORISED, LEADERBOARD, LISTED, PROBLEMS, RECEIPT, SUBMISSION, UPLOAD
from .refusal import RefusalError
from .service import service

router = APIRouter()

Digest = Annotated[str, Path(description="The id of the submission: the SHA-256 of its submission.json.")]
_DIGEST = re.compile(r"[0-9a-f]{64}")


@router.post(
    "/api/v1/submissions",
    status_code=202,
    summary="Submit one method with all its seeds",
    responses=RECEIPT | PROBLEMS,
    openapi_extra=UPLOAD,
)
async def submit(request: Request) -> JSONResponse:
    """Send a submission as a ZIP file: part ``archive`` of a form, with the header ``Authorization: Bearer TOKEN``.

    202 for a new one, 200 for one that is there already: the same files sent twice are one submission.
    """
    served = service(request)
    token = await upload.who(request, served, upload.bearer(request), "submit")
    upload.check_size(request, served)
    async with upload.form(request) as parts:
        taken = await upload.take(served, token, parts)
    location = str(request.url_for("submission_page", digest=taken.row.digest))
    document = {"status": taken.status, "location": location, "id": taken.row.digest}
    return JSONResponse(document, 202 if taken.status == "submitted" else 200, {"Location": location})


@router.get(
    "/api/v1/submissions",
    summary="The submissions of your team",
    responses=LISTED | PROBLEMS,
    openapi_extra=AUTHORISED,
)
async def mine(request: Request) -> dict[str, Any]:
    """The submissions of the team whose token is sent, newest first."""
    served = service(request)
    token = await upload.who(request, served, upload.bearer(request), "read")
    found = await asyncio.to_thread(rows.of_team, served.engine, token.team)
    return {"team": token.team, "submissions": [row.to_json() for row in found]}


@router.get("/api/v1/submissions/{digest}", summary="What became of a submission", responses=SUBMISSION | PROBLEMS)
async def status(request: Request, digest: Digest) -> dict[str, Any]:
    """Its status, its numbers if it is accepted, and what is wrong if it is not. Whoever has the id may ask."""
    row = await found_row(request, digest)
    return row.to_json() | {"location": str(request.url_for("submission_page", digest=digest))}


@router.get("/api/v1/leaderboard", summary="The board", responses=LEADERBOARD | PROBLEMS)
async def leaderboard(
    request: Request,
    manifest: Annotated[str | None, Query(description="Which manifest, where the server has several boards.")] = None,
) -> Response:
    """The document ``leaderboard.json`` of the board that was built last."""
    board = await asyncio.to_thread(boards.find, service(request), manifest)
    if board is None:
        raise RefusalError(
            404, "no-board", "there is no board yet, or none of this manifest.", "Submit something first."
        )
    return Response(await asyncio.to_thread(board.document), media_type="application/json")


@router.get("/healthz", summary="Whether the server can work")
async def health(request: Request) -> JSONResponse:
    """200 if the database answers and the queue runs, else 503."""
    served = service(request)
    try:
        await asyncio.to_thread(rows.counts, served.engine)
        database = True
    except Exception:  # whatever it is, the answer is the same
        database = False
    fine = database and served.verifying.alive
    said = {"status": "ok" if fine else "unhealthy", "database": database, "queue": served.verifying.alive}
    return JSONResponse(said, 200 if fine else 503)


@router.get("/metrics", summary="Numbers for Prometheus")
async def metrics(request: Request) -> Response:
    """Requests, uploads, verifications and submissions by status."""
    served = service(request)
    served.observed.count(await asyncio.to_thread(rows.counts, served.engine))
    return Response(generate_latest(served.observed.numbers), media_type=CONTENT_TYPE_LATEST)


async def found_row(request: Request, digest: str) -> rows.Row:
    """The submission of an id; RefusalError 404 if there is none."""
    row = await asyncio.to_thread(rows.find, service(request).engine, digest) if _DIGEST.fullmatch(digest) else None
    if row is None:
        raise RefusalError(404, "no-submission", "there is no submission of this id.", "Check the address.")
    return row
