"""What is handed in and what is handed back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SUBMITTED = "submitted"
ALREADY_SUBMITTED = "already submitted"


@dataclass(frozen=True)
class Submission:
    """Checked files of one run.

    Attributes
    ----------
    path: where they belong inside any target, with forward slashes; named by their content.
    digest: the sha256 in that path.
    title: one line for people.
    files: file name -> bytes.
    """

    path: str
    digest: str
    title: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Receipt:
    """``status`` is ``submitted`` or ``already submitted``; ``location`` a folder or an address to open."""

    status: str
    location: str


class Target(Protocol):
    """A place that takes submissions."""

    def submit(self, submission: Submission) -> Receipt:
        """Take the submission once; RunError in one line if that is not possible."""
        ...
