"""What a server tells those who run it: one JSON object a line on standard error, and numbers for Prometheus."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .rows import STATUS_WORDS
from .tokens import iso

_LOGGER = logging.getLogger("osbench.server")
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300)


class Observed:
    """Counters of one server, and its log."""

    def __init__(self) -> None:
        self.numbers = CollectorRegistry()
        self.requests = Counter("osbench_requests", "Requests.", ["method", "route", "status"], registry=self.numbers)
        self.seconds = Histogram(
            "osbench_request_seconds", "How long they took.", ["route"], buckets=_SECONDS, registry=self.numbers
        )
        self.uploads = Counter("osbench_uploads", "Uploads by what became of them.", ["result"], registry=self.numbers)
        self.verified = Counter("osbench_verifications", "Verifications by verdict.", ["status"], registry=self.numbers)
        self.submissions = Gauge("osbench_submissions", "Submissions by status.", ["status"], registry=self.numbers)

    def count(self, counts: dict[str, int]) -> None:
        """Submissions as the database counts them."""
        for status in STATUS_WORDS:
            self.submissions.labels(status).set(counts.get(status, 0))

    def log(self, event: str, **values: Any) -> None:
        """One line; never a token, never the content of an upload."""
        _LOGGER.info(event, extra={"values": values})


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": iso(time.time()), "level": record.levelname.lower(), "event": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, "values", {}), default=str)


def log_as_json() -> None:
    """Let this process write its log, and that of the HTTP library, as JSON lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    for name in ("osbench.server", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "osbench.server" else logging.WARNING)
