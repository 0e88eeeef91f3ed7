"""What a target returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ...core.documents import to_json
from ..checklist import ChecklistItem
from ..submission import Submission

SUBMITTED = "submitted"
ALREADY_SUBMITTED = "already submitted"
DRY_RUN = "dry run"


@dataclass(frozen=True)
class Receipt:
    """Whether a submission is new, where it is (a folder, or an address to open), and what its runs say about it."""

    status: Literal["submitted", "already submitted", "dry run"]
    location: str
    checklist: tuple[ChecklistItem, ...] = field(default=(), compare=False)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return to_json(self)


class Target(Protocol):
    """A place that takes submissions."""

    def submit(self, submission: Submission) -> Receipt:
        """Take the submission once; RunError in one line if that is not possible."""
        ...
