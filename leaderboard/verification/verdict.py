"""What verification says of a submission."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from ...core.documents import Limits, Number, from_json, to_json
from ...core.errors import RunError
from ...core.text import printable

REMEDIES = {
    "not-found": "Give the folder of one submission: it holds submission.json.",
    "path-not-allowed": "Send submission.json, seed<k>/run.json, seed<k>/predictions.parquet; no other file, no link.",
    "schema": "Make it again with `osbench submit`; the schemas: `osbench schema submission`, `osbench schema run`.",
    "too-large": "Predictions have one row per validation and test image of the manifest, and K class scores each.",
    "not-named-by-content": "Name the folder by the SHA-256 of submission.json, as `osbench submit` does.",
    "file-changed": "Submit the runs again, unchanged.",
    "not-one-fit": "A submission is one method with one configuration over its seeds: submit others apart.",
    "manifest-unknown": "Evaluate on the manifest that the board publishes, or give its dataset with --data.",
    "manifest-differs": "Evaluate again on the manifest; do not edit run.json.",
    "seen-differs": "Evaluate again: candidate i means the i-th seen generator of the manifest, in its order.",
    "predictions-unreadable": "Write predictions.parquet with osbench, or with the columns of the file formats page.",
    "columns": "Write image_id, class_scores, candidate and known_score.<rule> of every rule, with their types.",
    "id-type": "Write image_id as a column of strings of at most 64 characters.",
    "empty-cells": "Answer every image by every rule.",
    "ids-repeated": "Answer every image once.",
    "ids-missing": "Answer every validation and test image of the manifest.",
    "ids-unknown": "Answer the validation and test images of the manifest, and no others.",
    "not-finite": "Replace NaN and infinite scores; every score is a finite float32.",
    "candidate-unknown": "A candidate is 0 to K-1, a seen generator.",
    "predictions-invalid": "Write predictions.parquet with osbench.",
    "twin": "Nothing is to be done if it is yours: the board has it already.",
    "not-scorable": "Mend the runs, and submit them again.",
    "too-costly": "Submit fewer seeds or rules.",
    "not-verified": "Try again; if it ends in the same way, write to the maintainers.",
    "receipt-unreadable": "Ask the board for the receipt again.",
    "receipt-signature": "The receipt was changed, or another key signed it: ask the board for it again.",
    "receipt-other": "Give the receipt of this submission.",
    "receipt-label-root": "The labels are not those that were scored: compare the manifest with the published root.",
    "receipt-rows": "Rows were added or removed after the receipt: submit the original file.",
    "receipt-ids": "Image ids were changed after the receipt: submit the original file.",
    "receipt-answers": "Scores were changed after the receipt: submit the original file.",
    "receipt-scores": "The numbers do not follow from the predictions: ask the board to verify again.",
}
"""Code of a problem -> what to do about it."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a submission: for programs, for people, and what to do."""

    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Scored:
    """A number with its interval."""

    estimate: Number
    low: Number
    high: Number


Metrics = dict[str, dict[str, Scored]]
"""Rejection rule -> metric -> number."""


@dataclass(frozen=True)
class Verdict:
    """Whether a submission is in order.

    Parameters
    ----------
    ok : bool
        Whether there is no problem.
    problems : tuple of Problem
        What is wrong, in the order in which it was found.
    metrics : dict
        Rejection rule -> metric -> number, computed from the predictions; empty unless it is in order.
    digest : str
        Names the submission; empty where that could not be told.
    """

    ok: bool
    problems: Annotated[tuple[Problem, ...], Limits(longest=10_000)]
    metrics: Metrics = field(default_factory=dict)
    digest: str = ""

    @classmethod
    def refused(cls, problems: Iterable[Problem], digest: str = "") -> Verdict:
        """A submission with problems."""
        return cls(False, tuple(problems), {}, digest)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return to_json(self)

    @classmethod
    def from_json(cls, document: object, where: str = "verdict") -> Verdict:
        """The verdict of a document that :meth:`to_json` made; RunError names the first wrong key."""
        return from_json(cls, document, where, RunError)


class ProblemError(RunError):
    """A problem with a code; its remedy follows from the code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem(code, message)


def problem(code: str, message: object) -> Problem:
    """A problem with the remedy of its code, the message as one plain line."""
    return Problem(code, printable(message, 500), REMEDIES[code])


def verdict_text(verdict: Verdict) -> str:
    """For people: the numbers, or what is wrong and what to do."""
    if not verdict.ok:
        count = len(verdict.problems)
        lines = [f"not in order: {count} problem{'s' * (count != 1)}"]
        return "\n".join(lines + [f"  {p.code}: {p.message}\n    {p.remedy}" for p in verdict.problems])
    lines = ["in order"]
    for rule, metrics in verdict.metrics.items():
        cells = (f"{name} {m.estimate:.3f} [{m.low:.3f}, {m.high:.3f}]" for name, m in metrics.items())
        lines.append(f"  {rule}: {', '.join(cells)}")
    return "\n".join(lines)
