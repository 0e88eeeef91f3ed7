"""What a verification says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """What is wrong with a submission: for programs, for people, and what to do."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """Whether a submission is in order; if so, rejection rule -> metric -> interval."""

    ok: bool
    problems: tuple[Problem, ...]
    metrics: dict[str, Any]
