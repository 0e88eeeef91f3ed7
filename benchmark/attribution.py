"""The answer about one picture, with its confidence in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..core.documents import to_json
from .scope import Scope

Confidence = Literal["high", "medium", "low"]

WORDS = {
    (True, "high"): "clearly alike {candidate}, of the sources that this run knows",
    (True, "medium"): "alike {candidate}, of the sources that this run knows",
    (True, "low"): "barely alike {candidate}: do not rely on the name",
    (False, "high"): "clearly unlike every source that this run knows",
    (False, "medium"): "unlike every source that this run knows",
    (False, "low"): "barely unlike {candidate}: it may be one of its pictures",
}
"""Accepted or not, and how sure -> what is said of the picture."""


@dataclass(frozen=True)
class CropAnswer:
    """What one crop says by itself.

    Parameters
    ----------
    x, y : int
        Its left and top corner in the picture, in pixels.
    candidate : str
        The known source that it is most alike.
    known_score : float
        Higher = more likely of a known source.
    accepted : bool
        Whether it alone would be accepted, at the threshold of a single crop.
    """

    x: int
    y: int
    candidate: str
    known_score: float
    accepted: bool


@dataclass(frozen=True)
class Attribution:
    """The answer for one picture.

    Parameters
    ----------
    image : str
        Its path.
    candidate : str
        The known source that it is most alike.
    known_score, threshold : float
        Means over the crops; it is accepted iff ``known_score >= threshold``, which is made for their number.
    accepted : bool
        Whether it is.
    source : str
        The candidate if accepted, else ``"unknown"``.
    class_scores : dict of str to float
        Every known source's score, higher = more alike.
    percentile : float
        Share of seen validation pictures whose known score is lower, 0..1, counted as if they had as many crops.
    why : str
        One sentence for people.
    runner_up : str
        The source that comes next; empty where only one is known.
    margin : float
        The candidate's class score less that of the runner-up.
    confidence : str
        ``high``, ``medium`` or ``low``: of what is said, and never a probability.
    words : str
        That in words.
    agreement : float
        Share of the crops that name the candidate, 0..1.
    crops : tuple of CropAnswer
        From left to right, then downwards.
    crop_size, width, height : int
        Side of a crop, and the picture, in pixels.
    format : str
        Of the file.
    notes : tuple of str
        What was converted or left out when the file was read.
    scope : Scope
        What the answer rests on.
    preview : bytes
        A small JPEG of the picture, if one was asked for; in no document.
    """

    image: str
    candidate: str
    known_score: float
    threshold: float
    accepted: bool
    source: str
    class_scores: dict[str, float]
    percentile: float
    why: str
    runner_up: str
    margin: float
    confidence: Confidence
    words: str
    agreement: float
    crops: tuple[CropAnswer, ...]
    crop_size: int
    width: int
    height: int
    format: str
    notes: tuple[str, ...]
    scope: Scope
    preview: bytes = field(default=b"", repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """JSON-able form, with the sentences of the scope."""
        document = {name: value for name, value in vars(self).items() if name not in ("preview", "scope")}
        return {**to_json(document), "scope": self.scope.to_json()}


@dataclass(frozen=True)
class NotAttributed:
    """A picture without an answer, and why, in one line."""

    image: str
    error: str

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return to_json(self)


def confidence_of(
    accepted: bool, percentile: float, margin_percentile: float, agreement: float, unseen_refused: float
) -> Confidence:
    """How sure an answer is, from where it lies among validation pictures.

    A name is worth no more than the run's ability to refuse: one that takes most strangers for somebody it knows has no
    name to give with confidence.

    Parameters
    ----------
    accepted : bool
        Whether the picture is.
    percentile : float
        Share of seen validation pictures with a lower known score.
    margin_percentile : float
        Share of rightly named validation pictures with a smaller margin over the runner-up.
    agreement : float
        Share of the picture's crops that name the candidate.
    unseen_refused : float
        Share of pictures of sources that the run had never seen which it called unknown; NaN where nobody asked it.

    Examples
    --------
    >>> confidence_of(True, 0.6, 0.4, 1.0, 0.95), confidence_of(True, 0.06, 0.4, 1.0, 0.95)
    ('high', 'low')
    >>> confidence_of(True, 0.6, 0.4, 1.0, 0.7), confidence_of(False, 0.0, 0.4, 1.0, 0.7)
    ('medium', 'high')
    """
    if not accepted:
        return "high" if percentile == 0 else "medium" if percentile < 0.025 else "low"
    if percentile < 0.1 or margin_percentile < 0.05 or agreement < 0.5 or unseen_refused < 0.5:
        return "low"
    sure = percentile >= 0.25 and margin_percentile >= 0.25 and agreement >= 0.75
    return "high" if sure and unseen_refused >= 0.9 else "medium"
