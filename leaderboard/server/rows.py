"""What the database says of submissions: received, waiting, verified. A change and its event are one transaction."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from ...core.documents import to_json
from ..verification.verdict import Problem, Verdict
from .database import EVENTS, SUBMISSIONS, record
from .tokens import iso

Status = Literal["waiting", "verifying", "accepted", "refused", "failed"]
STATUS_WORDS: dict[str, str] = {
    "waiting": "received; waits to be verified",
    "verifying": "being verified",
    "accepted": "accepted: it is on the board",
    "refused": "refused: see what is wrong",
    "failed": "the server could not verify it; the maintainers can see why. Send it again to try once more",
}

_DAY_S = 86_400


@dataclass(frozen=True)
class Row:
    """A submission as the database knows it; times in seconds since 1970."""

    digest: str
    team: str
    method: str
    manifest_id: str
    title: str
    bytes: int
    status: Status
    attempts: int
    received: float
    finished: float | None
    problems: tuple[Problem, ...]
    metrics: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The answer of the API."""
        return {
            "id": self.digest,
            "status": self.status,
            "team": self.team,
            "method": self.method,
            "title": self.title,
            "manifest_id": self.manifest_id,
            "bytes": self.bytes,
            "received": iso(self.received),
            "finished": None if self.finished is None else iso(self.finished),
            "problems": to_json(self.problems),
            "metrics": self.metrics,
        }


def find(engine: sa.Engine, digest: str) -> Row | None:
    """A submission by its id."""
    with engine.connect() as connection:
        found = connection.execute(sa.select(SUBMISSIONS).where(SUBMISSIONS.c.digest == digest)).one_or_none()
    return None if found is None else _row(found)


def of_team(engine: sa.Engine, team: str) -> list[Row]:
    """The submissions of a team, newest first."""
    wanted = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.team == team).order_by(SUBMISSIONS.c.received.desc())
    with engine.connect() as connection:
        return [_row(row) for row in connection.execute(wanted)]


def with_status(engine: sa.Engine, status: Status) -> list[Row]:
    """All submissions of one status, oldest first."""
    wanted = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.status == status).order_by(SUBMISSIONS.c.received)
    with engine.connect() as connection:
        return [_row(row) for row in connection.execute(wanted)]


def counts(engine: sa.Engine) -> dict[str, int]:
    """How many submissions there are of every status."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(SUBMISSIONS.c.status, sa.func.count().label("number")).group_by(SUBMISSIONS.c.status)
        ).all()
    return dict.fromkeys(STATUS_WORDS, 0) | {row.status: row.number for row in rows}


def received_today(engine: sa.Engine, team: str) -> int:
    """How many submissions of a team came in the last 24 hours."""
    wanted = sa.select(sa.func.count()).where(SUBMISSIONS.c.team == team, SUBMISSIONS.c.received > time.time() - _DAY_S)
    with engine.connect() as connection:
        return connection.execute(wanted).scalar_one()


def add(engine: sa.Engine, row: Row, actor: str) -> None:
    """A submission whose files are in place."""
    values = vars(row) | {"problems": "[]", "metrics": "{}"}
    with engine.begin() as connection:
        connection.execute(SUBMISSIONS.insert().values(values))
        record(connection, row.received, actor, "received", row.digest, f"team {row.team}: {row.title}")


def wait_again(engine: sa.Engine, digest: str, actor: str) -> None:
    """A submission that could not be verified is tried again."""
    with engine.begin() as connection:
        connection.execute(
            SUBMISSIONS.update()
            .where(SUBMISSIONS.c.digest == digest, SUBMISSIONS.c.status == "failed")
            .values(status="waiting", attempts=0, finished=None, problems="[]")
        )
        record(connection, time.time(), actor, "verified again", digest)


def release(engine: sa.Engine) -> int:
    """What was being verified when the server stopped waits again; how many these are."""
    with engine.begin() as connection:
        done = connection.execute(
            SUBMISSIONS.update().where(SUBMISSIONS.c.status == "verifying").values(status="waiting")
        )
    return done.rowcount


def put_back(engine: sa.Engine, digest: str) -> None:
    """A verification that ended without a verdict, for no fault of the submission's, waits again."""
    with engine.begin() as connection:
        connection.execute(
            SUBMISSIONS.update()
            .where(SUBMISSIONS.c.digest == digest, SUBMISSIONS.c.status == "verifying")
            .values(status="waiting")
        )


def claim(engine: sa.Engine) -> Row | None:
    """The oldest one that waits is now being verified, by the caller alone; None if none waits."""
    oldest = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.status == "waiting").order_by(SUBMISSIONS.c.received).limit(1)
    with engine.begin() as connection:
        while (found := connection.execute(oldest).one_or_none()) is not None:
            done = connection.execute(
                SUBMISSIONS.update()
                .where(SUBMISSIONS.c.digest == found.digest, SUBMISSIONS.c.status == "waiting")
                .values(status="verifying", attempts=SUBMISSIONS.c.attempts + 1)
            )
            if done.rowcount == 1:
                changed = sa.select(SUBMISSIONS).where(SUBMISSIONS.c.digest == found.digest)
                return _row(connection.execute(changed).one())
    return None


def finish(engine: sa.Engine, digest: str, status: Status, verdict: Verdict) -> None:
    """Keep the verdict."""
    now = time.time()
    values = {
        "status": status,
        "finished": now,
        "problems": json.dumps(to_json(verdict.problems)),
        "metrics": json.dumps(to_json(verdict.metrics)),
    }
    with engine.begin() as connection:
        connection.execute(SUBMISSIONS.update().where(SUBMISSIONS.c.digest == digest).values(values))
        record(connection, now, "server", status, digest, "; ".join(problem.code for problem in verdict.problems))


def events(engine: sa.Engine, subject: str | None = None) -> list[dict[str, Any]]:
    """The audit log, oldest first; of one submission or token, or all of it."""
    wanted = sa.select(EVENTS).order_by(EVENTS.c.event_id)
    if subject is not None:
        wanted = wanted.where(EVENTS.c.subject == subject)
    with engine.connect() as connection:
        rows = connection.execute(wanted).all()
    return [
        {"at": iso(row.at), "actor": row.actor, "action": row.action, "subject": row.subject, "detail": row.detail}
        for row in rows
    ]


def _row(found: Any) -> Row:
    values = dict(found._mapping)
    problems = tuple(Problem(**item) for item in json.loads(values.pop("problems")))
    return Row(**values | {"problems": problems, "metrics": json.loads(values["metrics"])})
