"""The pages for people. They can be read without scripts."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from ...core.text import printable
from . import boards, rows, upload
from .api import Digest, found_row
from .refusal import RefusalError
from .service import service

router = APIRouter(include_in_schema=False)

_PACKAGE = __name__.rpartition(".")[0]
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STATIC = {"style.css": "text/css; charset=utf-8", "upload.js": "text/javascript; charset=utf-8"}


@router.get("/", name="board_page")
async def board(
    request: Request, manifest: Annotated[str | None, Query()] = None, rule: Annotated[str, Query()] = ""
) -> HTMLResponse:
    """The board as a table."""
    served = service(request)
    every = await asyncio.to_thread(boards.published, served)
    found = await asyncio.to_thread(boards.find, served, manifest)
    shown = None if found is None else await asyncio.to_thread(found.board)
    entries = [] if shown is None else [entry for entry in shown.entries if rule in ("", entry.rule)]
    return page(
        request,
        "board.html",
        board=shown,
        found=found,
        every=every,
        entries=entries,
        rule=rule,
        rules=[] if shown is None else sorted({entry.rule for entry in shown.entries}),
        columns=() if shown is None else boards.columns(shown),
        digest_of=_digest_of,
    )


@router.get("/board/{manifest}", name="whole_board")
async def whole_board(request: Request, manifest: str) -> Response:
    """The page with curves, confusion and filters, as `osbench leaderboard build` writes it."""
    found = await asyncio.to_thread(boards.find, service(request), manifest)
    if found is None:
        raise RefusalError(404, "no-board", "there is no board of this manifest.", "Go to the first page.")
    # Its own policy, by hash, stands in the page.
    headers = {"Content-Security-Policy": "frame-ancestors 'none'"}
    return HTMLResponse(await asyncio.to_thread(found.page), headers=headers)


@router.get("/submissions/{digest}", name="submission_page")
async def submission(request: Request, digest: Digest) -> HTMLResponse:
    """One submission: what became of it."""
    row = await found_row(request, digest)
    return page(request, "submission.html", row=row, words=rows.STATUS_WORDS[row.status])


@router.get("/submit", name="submit_page")
async def ask(request: Request) -> HTMLResponse:
    """The form."""
    return page(request, "submit.html", limits=service(request).settings.limits, refusal=None)


@router.post("/submit", name="submit_form")
async def submit(request: Request) -> Response:
    """What the form sends: a token and a ZIP file."""
    served = service(request)
    upload.check_size(request, served)
    try:
        async with upload.form(request) as parts:
            token = await upload.who(request, served, _field(parts.get("token")), "submit")
            taken = await upload.take(served, token, parts)
    except RefusalError as refusal:
        served.observed.uploads.labels(refusal.code).inc()
        await request.scope["osbench.drain"]()
        return page(request, "submit.html", refusal.status, limits=served.settings.limits, refusal=refusal)
    return RedirectResponse(request.url_for("submission_page", digest=taken.row.digest), 303)


@router.get("/mine", name="mine_page")
async def ask_mine(request: Request) -> HTMLResponse:
    """Asks for the token."""
    return page(request, "mine.html", found=None, team="", refusal=None, words=rows.STATUS_WORDS)


@router.post("/mine", name="mine_form")
async def mine(request: Request) -> HTMLResponse:
    """The submissions of the token's team. The token is in no address and no cookie."""
    served = service(request)
    try:
        async with request.form(max_files=0, max_fields=4) as parts:
            token = await upload.who(request, served, _field(parts.get("token")), "read")
    except RefusalError as refusal:
        return page(request, "mine.html", refusal.status, found=None, team="", refusal=refusal, words=rows.STATUS_WORDS)
    found = await asyncio.to_thread(rows.of_team, served.engine, token.team)
    return page(request, "mine.html", found=found, team=token.team, refusal=None, words=rows.STATUS_WORDS)


@router.get("/static/{name}", name="static_file")
async def static(name: str) -> Response:
    """The style sheet and the script."""
    if name not in _STATIC:
        raise RefusalError(404, "no-file", "there is no such file.", "Go to the first page.")
    return Response((files(_PACKAGE) / "static" / name).read_bytes(), media_type=_STATIC[name])


def page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of a template; every value is escaped."""
    text = _templates().get_template(name).render(link=_links(request), **values)
    return HTMLResponse(
        text,
        status,
        {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"},
    )


def error_page(request: Request, refusal: RefusalError) -> HTMLResponse:
    """What is wrong, in words."""
    return page(request, "error.html", refusal.status, refusal=refusal)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["number"] = lambda value: "–" if value is None or value != value else f"{value:.3f}"
    environment.filters["time"] = rows.iso
    environment.filters["plain"] = printable
    return environment


def _links(request: Request) -> Any:
    # Paths, not addresses: right behind any proxy, whatever it calls this host.
    def link(route: str, /, **values: str) -> str:
        return request.app.url_path_for(route, **values)

    return link


def _field(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _digest_of(run: str) -> str | None:
    """``submissions/METHOD/DIGEST/seed0`` -> DIGEST."""
    parts = run.split("/")
    return next((part for part in parts if len(part) == 64), None)
