"""The parts of a running server, together."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from fastapi import Request

from .intake import Intake
from .observe import Observed
from .rate import Rate
from .settings import Settings
from .store import Store
from .verifying import Verifying

_WRONG_TOKENS_PER_MINUTE = 30


@dataclass(frozen=True)
class Service:
    """What requests need."""

    settings: Settings
    engine: sa.Engine
    store: Store
    observed: Observed
    intake: Intake
    verifying: Verifying
    uploads: Rate
    wrong_tokens: Rate

    @classmethod
    def of(cls, settings: Settings, engine: sa.Engine) -> Service:
        """The parts of a server over a database."""
        store, observed = Store(settings.folder), Observed()
        store.prepare()
        return cls(
            settings,
            engine,
            store,
            observed,
            Intake(engine, store, settings.limits),
            Verifying(settings, engine, store, observed),
            Rate(settings.limits.per_minute, "uploads"),
            Rate(_WRONG_TOKENS_PER_MINUTE, "wrong tokens"),
        )


def service(request: Request) -> Service:
    """The server that a request is for."""
    return request.app.state.service
