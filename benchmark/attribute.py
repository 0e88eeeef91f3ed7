"""Which generator made this image, or is it one that nobody has seen? Asks a finished run about single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.documents import to_json
from ..core.errors import DatasetError, OsbenchError, RunError, UsageError
from ..core.text import printable
from .answers import DEFAULT_THRESHOLD_RULE
from .method import Method
from .models import load_model
from .pictures_alike import Picture, read_picture
from .runs import NATIVE, Run
from .score import UNKNOWN
from .scores import Scores

_BATCH = 256


@dataclass(frozen=True)
class Attribution:
    """The answer for one image.

    Parameters
    ----------
    image : str
        Its path.
    candidate : str
        The seen generator it is most alike.
    known_score, threshold : float
        It is accepted iff ``known_score >= threshold``.
    accepted : bool
        Whether it is.
    source : str
        The candidate if accepted, else ``"unknown"``.
    class_scores : dict of str to float
        Every seen generator's score, higher = more alike.
    percentile : float
        Share of seen validation images whose known_score is lower, 0..1.
    why : str
        One sentence for people.
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

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return to_json(self)


@dataclass(frozen=True)
class NotAttributed:
    """An image without an answer, and why, in one line."""

    image: str
    error: str

    def to_json(self) -> dict[str, Any]:
        """JSON-able form."""
        return to_json(self)


def attribute(
    images: Sequence[Path],
    run: Run,
    *,
    rule: str = NATIVE,
    threshold_rule: str = DEFAULT_THRESHOLD_RULE,
    method_file: str | None = None,
    caption: str | None = None,
) -> list[Attribution | NotAttributed]:
    """Attribute image files with the model of a run.

    The centre crop of the run's crop size is judged, nothing is resampled. The threshold comes from the run's own
    answers for seen validation images, so no dataset is needed.

    Parameters
    ----------
    images : sequence of Path
        The files. One that is no image, or too small, costs its own answer.
    run : Run
        The run to ask.
    rule : str
        Its rejection rule (see :meth:`.runs.Run.rule`).
    threshold_rule : str
        How the threshold is chosen; no oracle.
    method_file : str, optional
        The user's own file where the method is defined, if it is not registered.
    caption : str, optional
        What the images show, for a method that reads captions. Without it, such a method describes them itself.

    Returns
    -------
    list
        One answer per image, in their order. RunError for a run without model or manifest; UsageError for a caption
        that the method does not read.
    """
    answers = run.answers(rule)
    threshold, validation = answers.blind_threshold(threshold_rule), answers.validation.known_score
    method = load_model(run, method_file)
    if caption is not None and not method.reads_captions:
        raise UsageError(f"method {method.name} reads no captions: leave out --caption.")
    found: list[Attribution | NotAttributed] = []
    for start in range(0, len(images), _BATCH):
        batch = [picture_or_error(Path(path), run.info.config.crop_size) for path in images[start : start + _BATCH]]
        crops = [one.pixels for one in batch if not isinstance(one, NotAttributed)]
        asked = (method, answers.rule, np.stack(crops), len(run.class_names), caption) if crops else None
        scores = ask_model(*asked) if asked else None
        row = 0
        for path, one in zip(images[start : start + _BATCH], batch, strict=True):
            if isinstance(one, NotAttributed):
                found.append(one)
            else:
                assert scores is not None
                found.append(_explain(str(path), scores, row, run.class_names, threshold, validation, threshold_rule))
                row += 1
    return found


def ask_model(method: Method, rule: str, pixels: np.ndarray, n_classes: int, caption: str | None = None) -> Scores:
    """The answers of a run's model by one rule; RunError if they are not what the run promises."""
    told: dict[str, Any] = {} if caption is None else {"captions": [caption] * len(pixels)}
    try:
        found = method.predict(pixels, **told)
    except OsbenchError:
        raise
    except Exception as error:  # a model of somebody else may not match its method
        raise RunError(
            f"the model of {method.name} gives no answer: {type(error).__name__}: {printable(error)}"
        ) from error
    if rule not in found:
        raise RunError(f"method {method.name} gave no scores for its rejection rule '{rule}'.")
    scores = found[rule].check()
    if scores.class_scores.shape != (len(pixels), n_classes):
        raise RunError(
            f"the model of {method.name} gives scores {scores.class_scores.shape} for {len(pixels)} images; the run "
            f"has {n_classes} seen generators."
        )
    return scores


def picture_or_error(path: Path, size: int) -> Picture | NotAttributed:
    """:func:`.pictures_alike.read_picture`, or why there is none."""
    try:
        return read_picture(path, size)
    except DatasetError as error:
        return NotAttributed(str(path), str(error))


def _explain(
    image: str,
    scores: Scores,
    i: int,
    names: Sequence[str],
    threshold: float,
    val_scores: np.ndarray,
    rule: str,
) -> Attribution:
    known = float(scores.known_score[i])
    candidate = names[int(scores.candidate[i])]
    accepted = known >= threshold
    percentile = float((val_scores < known).mean())
    verdict = "reaches" if accepted else "is below"
    why = (
        f"most alike {candidate}; known score {known:.4g} {verdict} the threshold {threshold:.4g} ({rule}), "
        f"higher than {percentile:.0%} of seen validation images"
    )
    return Attribution(
        image=image,
        candidate=candidate,
        known_score=known,
        threshold=threshold,
        accepted=accepted,
        source=candidate if accepted else UNKNOWN,
        class_scores={name: float(score) for name, score in zip(names, scores.class_scores[i], strict=True)},
        percentile=percentile,
        why=why,
    )
