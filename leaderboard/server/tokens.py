"""Tokens: who may submit for a team. A token is shown once; the database keeps its hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ...core.errors import UsageError
from ...core.text import printable
from .database import TOKENS, record
from .refusal import RefusalError

SCOPES = ("submit", "read")
"""``submit`` also reads: both see the submissions of their team, one adds to them."""

_TEAM = re.compile(r"[^\W_](?:[\w .+-]{0,62}[\w.+-])?")
_TOKEN = re.compile(r"osb_([0-9a-f]{16})_([0-9a-f]{64})")
_DAY_S = 86_400


@dataclass(frozen=True)
class Token:
    """What the database knows of a token; times in seconds since 1970."""

    token_id: str
    team: str
    scope: str
    created: float
    expires: float
    revoked: float | None

    @property
    def state(self) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires <= time.time() else "valid"

    def to_json(self) -> dict[str, Any]:
        """For people and programs; without the secret, which nobody has."""
        return {
            "token_id": self.token_id,
            "team": self.team,
            "scope": self.scope,
            "created": iso(self.created),
            "expires": iso(self.expires),
            "state": self.state,
        }


def create_token(engine: sa.Engine, team: str, scope: str = "submit", days: float = 365) -> tuple[Token, str]:
    """A new token and its text, which cannot be shown again.

    Parameters
    ----------
    engine : Engine
        The database.
    team : str
        Letters, digits, spaces and ``. + -``, at most 64.
    scope : str
        One of :data:`SCOPES`.
    days : float
        How long it is valid.
    """
    if not _TEAM.fullmatch(team):
        raise UsageError(f"team '{printable(team)}': write at most 64 letters, digits, spaces, dots and dashes.")
    if scope not in SCOPES:
        raise UsageError(f"unknown scope '{printable(scope)}'. Known: {', '.join(SCOPES)}.")
    if not 0 < days <= 3660:
        raise UsageError(f"a token of {days:g} days: it must be valid for more than 0 and at most 3660.")
    now = time.time()
    token = Token(secrets.token_hex(8), team, scope, now, now + days * _DAY_S, None)
    secret = secrets.token_hex(32)
    with engine.begin() as connection:
        connection.execute(
            TOKENS.insert().values(
                token_id=token.token_id,
                team=team,
                scope=scope,
                secret_sha256=_hash(secret),
                created=token.created,
                expires=token.expires,
            )
        )
        record(connection, now, "operator", "token created", token.token_id, f"team {team}, scope {scope}")
    return token, f"osb_{token.token_id}_{secret}"


def list_tokens(engine: sa.Engine) -> list[Token]:
    """All tokens, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(TOKENS).order_by(TOKENS.c.created, TOKENS.c.token_id)).all()
    return [_token(row) for row in rows]


def revoke_token(engine: sa.Engine, token_id: str) -> Token:
    """Make a token worthless from now on; UsageError if there is none of that id."""
    now = time.time()
    with engine.begin() as connection:
        row = connection.execute(sa.select(TOKENS).where(TOKENS.c.token_id == token_id)).one_or_none()
        if row is None:
            raise UsageError(f"no token '{printable(token_id)}': see `osbench leaderboard token list`.")
        if row.revoked is None:
            connection.execute(TOKENS.update().where(TOKENS.c.token_id == token_id).values(revoked=now))
            record(connection, now, "operator", "token revoked", token_id, f"team {row.team}")
        row = connection.execute(sa.select(TOKENS).where(TOKENS.c.token_id == token_id)).one()
    return _token(row)


def authenticate(engine: sa.Engine, text: str, scope: str) -> Token:
    """The token of a request; RefusalError 401 or 403 that says why it is none."""
    match = _TOKEN.fullmatch(text.strip())
    if match is None:
        raise _unknown()
    with engine.connect() as connection:
        row = connection.execute(sa.select(TOKENS).where(TOKENS.c.token_id == match[1])).one_or_none()
    # Compared also where there is none, so that the time tells nothing.
    right = hmac.compare_digest(_hash(match[2]), row.secret_sha256 if row is not None else "0" * 64)
    if row is None or not right:
        raise _unknown()
    token = _token(row)
    if token.state != "valid":
        raise RefusalError(
            401, f"token-{token.state}", f"this token is {token.state}.", "Ask the maintainers for a new one."
        )
    if scope == "submit" and token.scope != "submit":
        raise RefusalError(
            403, "token-scope", "this token may read and not submit.", "Use a token with the scope 'submit'."
        )
    return token


def iso(seconds: float) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _unknown() -> RefusalError:
    return RefusalError(
        401, "token-unknown", "this token is not known here.", "Check it, or ask the maintainers of the board for one."
    )


def _hash(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: Any) -> Token:
    return Token(row.token_id, row.team, row.scope, row.created, row.expires, row.revoked)
