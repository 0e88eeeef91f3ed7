"""What a run loses on content, or on weights, that no image of its training had: its answers by these.

A fold that holds something out has no test images of what was trained from the generators concerned, so the seen
validation images stand for it. Two cautions: the threshold is chosen by them (accept-95 rejects at most 5 % of them),
and a method may have stopped its training by them, so that the loss looks rather too large; and training sets differ in
difficulty, so that one fold should be compared with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from .manifest import Manifest
from .manifest_columns import cells
from .metrics import Outcome


@dataclass(frozen=True)
class ContentRow:
    """The answers to the images of one split, openness and training set, or weights.

    Parameters
    ----------
    split : str
        ``val`` or ``test``.
    openness : str
        ``seen`` or ``unseen``.
    part : str
        The training set, or the weights; ``-`` for images of a generator that has no weights.
    held_out : bool
        Whether it is the held-out one.
    images : int
        How many.
    accuracy : float, optional
        Share whose nearest seen generator is the right one, accepted or not; None for unseen images.
    rejected : float
        Share below the threshold.
    """

    split: Literal["val", "test"]
    openness: Literal["seen", "unseen"]
    part: str
    held_out: bool
    images: int
    accuracy: float | None
    rejected: float


def content_rows(validation: Outcome, test: Outcome, manifest: Manifest, threshold: float) -> list[ContentRow]:
    """One row for the images of every split, openness and training set or weights; empty unless one is held out."""
    if not manifest.held_out:
        return []
    return [*_rows("val", validation, manifest, threshold), *_rows("test", test, manifest, threshold)]


def _rows(split: Literal["val", "test"], answers: Outcome, manifest: Manifest, threshold: float) -> list[ContentRow]:
    rows = manifest.rows(split)
    openness, part = cells(rows, "openness"), cells(rows, manifest.hold_out)
    right: np.ndarray = answers.candidate == answers.truth
    rejected: np.ndarray = answers.known_score < threshold
    found: list[ContentRow] = []
    for known, name in sorted(set(zip(openness.tolist(), part.tolist(), strict=True))):
        members = (openness == known) & (part == name)
        found.append(
            ContentRow(
                split=split,
                openness=known,
                part=name or "-",
                held_out=name == manifest.held_out,
                images=int(np.sum(members)),
                accuracy=float(np.mean(right[members])) if known == "seen" else None,
                rejected=float(np.mean(rejected[members])),
            )
        )
    return found


def content_table(rows: Sequence[ContentRow]) -> str:
    """Rows of :func:`content_rows` for people."""
    table = pd.DataFrame(
        [
            (
                row.part,
                "yes" if row.held_out else "no",
                row.split,
                row.openness,
                row.images,
                "-" if row.accuracy is None else f"{row.accuracy:.3f}",
                f"{row.rejected:.3f}",
            )
            for row in rows
        ],
        columns=["part", "held out", "split", "", "images", "accuracy", "rejected"],
    )
    head = "by what is held out; validation images stand for what was trained, and set the threshold:"
    return f"{head}\n{table.to_string(index=False)}"
