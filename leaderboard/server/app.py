"""The application: routes, errors in words, and numbers about every request."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import api, pages
from .body import DRAIN, BodyLimits
from .database import first_line
from .observe import Observed
from .refusal import RefusalError
from .service import Service, service
from .settings import Settings

_PROGRAMS = ("/api/", "/healthz", "/metrics", "/openapi.json")
_BACK_SOON_S = 30


def create_app(settings: Settings, engine: sa.Engine) -> FastAPI:
    """The application of a server over a database whose tables are there."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await app.state.service.verifying.start()
        yield
        await app.state.service.verifying.stop()

    app = FastAPI(title="osbench board", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = Service.of(settings, engine)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(SQLAlchemyError, _no_database)
    app.add_exception_handler(OSError, _no_disk)
    app.add_exception_handler(Exception, _fault)
    app.add_middleware(BodyLimits, limits=settings.limits)
    app.add_middleware(_Watched, observed=app.state.service.observed)
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The description of the API, with how tokens are sent."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemes = {"token": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema.setdefault("components", {})["securitySchemes"] = schemes
    return app.openapi_schema


async def _answer(request: Request, refusal: RefusalError) -> Response:
    headers = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if DRAIN in request.scope:
        await request.scope[DRAIN]()
    if request.url.path.startswith(_PROGRAMS):
        return JSONResponse(refusal.to_json(), refusal.status, headers)
    response = pages.error_page(request, refusal)
    response.headers.update(headers)
    return response


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    if request.method == "POST":
        service(request).observed.uploads.labels(error.code).inc()
    return await _answer(request, error)


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:
        return await _answer(request, RefusalError(400, "request", "the request cannot be read.", "See /openapi.json."))
    if error.status_code == 405:
        return await _answer(
            request, RefusalError(405, "method", "this address does not take that.", "See /openapi.json.")
        )
    return await _answer(
        request,
        RefusalError(error.status_code, "no-page", "there is nothing at this address.", "Go to the first page."),
    )


async def _not_understood(request: Request, error: Exception) -> Response:
    return await _answer(
        request, RefusalError(422, "request", "a value of the request is wrong.", "See /openapi.json.")
    )


async def _no_database(request: Request, error: Exception) -> Response:
    service(request).observed.log("database", error=first_line(error))
    return await _answer(
        request,
        RefusalError(503, "database-away", "the server cannot reach its database.", "Try again later.", _BACK_SOON_S),
    )


async def _no_disk(request: Request, error: Exception) -> Response:
    service(request).observed.log("disk", error=str(error))
    return await _answer(
        request, RefusalError(507, "disk", "the server cannot write the files.", "Try again later.", _BACK_SOON_S)
    )


async def _fault(request: Request, error: Exception) -> Response:
    # The HTTP server writes the traceback into the log.
    return await _answer(
        request, RefusalError(500, "fault", "the server made a mistake.", "Try again later; it is in the server's log.")
    )


class _Watched:
    """Counts and logs every request."""

    def __init__(self, app: ASGIApp, observed: Observed) -> None:
        self.app = app
        self.observed = observed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            # Never the address itself: strangers would make as many rows as they like.
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - began
            self.observed.requests.labels(scope["method"], route, str(status)).inc()
            self.observed.seconds.labels(route).observe(seconds)
            if route not in ("/healthz", "/metrics"):
                self.observed.log(
                    "request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4)
                )
