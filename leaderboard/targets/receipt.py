"""What a target returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ...core.documents import to_json
from ..submission import Submission

SUBMITTED = "submitted"
ALREADY_SUBMITTED = "already submitted"


@dataclass(frozen=True)
class Receipt:
    """Whether a submission is new, and where it is: a folder, or an address to open."""

    status: Literal["submitted", "already submitted"]
    location: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return to_json(self)


class Target(Protocol):
    """A place that takes submissions."""

    def submit(self, submission: Submission) -> Receipt:
        """Take the submission once; RunError in one line if that is not possible."""
        ...
