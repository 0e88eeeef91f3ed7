"""Answers about pictures as text for a terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..core.columns import text_columns
from ..core.text import printable
from .attribution import Attribution, NotAttributed

Answer = Attribution | NotAttributed

COLUMNS: tuple[str, ...] = (
    "image",
    "source",
    "confidence",
    "words",
    "candidate",
    "runner_up",
    "margin",
    "known_score",
    "threshold",
    "percentile",
    "crops",
    "agreement",
    "width",
    "height",
    "notes",
    "error",
    "scope",
)


def answers_text(answers: Sequence[Answer]) -> str:
    """A row for each picture, then what the answers rest on."""
    head = ("image", "source", "confidence", "score", "threshold", "crops", "verdict", "why")
    rows = [_row(one) for one in answers]
    lines = [text_columns([head, *rows])]
    found = [one for one in answers if isinstance(one, Attribution)]
    noted = [f"{printable(one.image, 1000)}: {'; '.join(one.notes)}" for one in found if one.notes]
    if noted:
        lines += ["", "Notes:", *(f"  {line}" for line in noted)]
    if found:
        lines += ["", "What the answers rest on:", *(f"  {line}" for line in found[0].scope.sentences)]
    return "\n".join(lines)


def _row(one: Answer) -> tuple[str, ...]:
    if isinstance(one, NotAttributed):
        return printable(one.image, 1000), "-", "-", "-", "-", "-", "error", printable(one.error, 1000)
    agreeing = round(one.agreement * len(one.crops))
    return (
        printable(one.image, 1000),
        printable(one.source),
        one.confidence,
        f"{one.known_score:.4g}",
        f"{one.threshold:.4g}",
        f"{agreeing}/{len(one.crops)}",
        "accepted" if one.accepted else "unknown",
        f"{printable(one.words, 400)}; {printable(one.why, 400)}",
    )


def answers_csv(answers: Sequence[Answer]) -> str:
    """One row for each picture, with :data:`COLUMNS`; numbers in full.

    A spreadsheet takes a cell that begins with ``=`` for a formula; file names may begin so, and get ``./`` in front.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for one in answers:
        if isinstance(one, NotAttributed):
            writer.writerow({"image": _cell(one.image), "error": printable(one.error, 1000)})
            continue
        row = {name: getattr(one, name) for name in COLUMNS if hasattr(one, name)}
        row |= {
            "image": _cell(one.image),
            "crops": len(one.crops),
            "notes": "; ".join(one.notes),
            "scope": " ".join(one.scope.sentences),
        }
        writer.writerow(row)
    return out.getvalue()


def _cell(path: str) -> str:
    text = printable(path, 4000)
    return f"./{text}" if text[:1] in "=+-@" else text
