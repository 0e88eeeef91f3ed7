"""What the API's description (OpenAPI) says about requests and answers."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


_PROBLEM = _object(code=_TEXT, message=_TEXT, remedy=_TEXT)
_ROW = _object(
    id=_TEXT,
    status={"type": "string", "enum": ["waiting", "verifying", "accepted", "refused", "failed"]},
    team=_TEXT,
    method=_TEXT,
    title=_TEXT,
    manifest_id=_TEXT,
    bytes={"type": "integer"},
    received=_TEXT,
    finished={"type": ["string", "null"]},
    problems={"type": "array", "items": _PROBLEM},
    metrics={"type": "object"},
)
_SUBMITTED = _object(
    status={"type": "string", "enum": ["submitted", "already submitted"]}, location={"type": "string"}, id=_TEXT
)

AUTHORISED: dict[str, Any] = {"security": [{"token": []}]}
UPLOAD: dict[str, Any] = {
    "security": [{"token": []}],
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": _object(archive={"type": "string", "format": "binary"})}},
    },
}
RECEIPT: dict[int | str, dict[str, Any]] = {
    200: _answer("The same files are there already.", _SUBMITTED),
    202: _answer("Received; it will be verified.", _SUBMITTED),
}
LISTED: dict[int | str, dict[str, Any]] = {
    200: _answer("Newest first.", _object(team=_TEXT, submissions={"type": "array", "items": _ROW}))
}
SUBMISSION: dict[int | str, dict[str, Any]] = {200: _answer("The submission.", _ROW)}
LEADERBOARD: dict[int | str, dict[str, Any]] = {200: _answer("The board.", {"type": "object"})}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": _answer("What is wrong with the request, and what to do.", _object(error=_PROBLEM)),
    "5XX": _answer("The server cannot do it now.", _object(error=_PROBLEM)),
}
