"""Which generator made this picture, or is it one that nobody has seen? Asks a finished run about picture files.

A picture is judged by several crops that do not overlap (:mod:`.crops`): scores are means over them, and the threshold
is made for their number (:mod:`.crop_threshold`). Every answer carries the run's scope (:mod:`.scope`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DatasetError, OsbenchError, RunError, UsageError, unknown_name
from ..core.progress import track
from ..core.text import printable
from .answers import DEFAULT_THRESHOLD_RULE, Answers
from .attribution import WORDS, Attribution, CropAnswer, NotAttributed, confidence_of
from .crop_threshold import Calibration
from .crops import MOST_CROPS, Crops, read_crops
from .method import Method
from .models import load_model
from .pictures_alike import Picture, read_picture
from .runs import NATIVE, Run
from .scope import Scope, scope_of
from .score import UNKNOWN
from .scores import Scores

__all__ = ["Attribution", "NotAttributed", "ask_model", "attribute", "picture_or_error"]

_BATCH = 256
"""Crops that a model is asked about at a time."""


def attribute(
    images: Sequence[Path],
    run: Run,
    *,
    rule: str = NATIVE,
    threshold_rule: str = DEFAULT_THRESHOLD_RULE,
    method_file: str | None = None,
    caption: str | None = None,
    crops: int = MOST_CROPS,
    cameras: Sequence[str] = (),
    previews: bool = False,
) -> list[Attribution | NotAttributed]:
    """Attribute image files with the model of a run.

    Crops of the run's size are judged, nothing is resampled. The threshold comes from the run's own answers for seen
    validation images, so no dataset is needed.

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
    crops : int
        How many crops of a picture at most; 1 is its centre.
    cameras : sequence of str
        Sources of the run that are camera pictures, beside those that its suite says to be.
    previews : bool
        Whether answers carry a small picture, for a report.

    Returns
    -------
    list
        One answer per image, in their order. RunError for a run without model or manifest; UsageError for a caption
        that the method does not read, a source that the run does not know, and no crop.
    """
    if crops < 1:
        raise UsageError(f"{crops} crops of a picture say nothing: ask about at least 1.")
    for name in cameras:
        if name not in run.class_names:
            raise unknown_name("source of this run", name, run.class_names)
    predictions = run.predictions(manifest := run.manifest())
    answers = Answers.of(run.info, run.rule(rule), predictions, manifest)
    threshold = answers.blind_threshold(threshold_rule)
    is_val = np.asarray(manifest.rows("val", "test")["split"] == "val")
    calibration = Calibration.of(answers, predictions.class_scores[is_val], threshold)
    scope = scope_of(run, answers, threshold, threshold_rule, cameras)
    method = load_model(run, method_file)
    if caption is not None and not method.reads_captions:
        raise UsageError(f"method {method.name} reads no captions: leave out --caption.")
    size = run.info.config.crop_size
    found: list[Attribution | NotAttributed] = []
    for batch in _batches(images, size, crops, previews):
        read = [one for _, one in batch if isinstance(one, Crops)]
        asked = np.concatenate([one.pixels for one in read]) if read else None
        scores = None if asked is None else ask_model(method, answers.rule, asked, len(run.class_names), caption)
        row = 0
        for path, one in batch:
            if isinstance(one, NotAttributed):
                found.append(one)
            else:
                assert scores is not None
                rows = slice(row, row + len(one.pixels))
                own = Scores(scores.class_scores[rows], scores.known_score[rows], scores.candidate[rows])
                found.append(_explain(str(path), one, own, run.class_names, calibration, scope))
                row = rows.stop
    return found


def _batches(
    images: Sequence[Path], size: int, crops: int, previews: bool
) -> Iterator[list[tuple[Path, Crops | NotAttributed]]]:
    """The files in their order, as many at a time as a model is asked about at once."""
    batch: list[tuple[Path, Crops | NotAttributed]] = []
    waiting = 0
    paths = [Path(path) for path in images]
    for path in track(paths, description="attribute", total=len(paths), unit="image") if len(paths) > 1 else paths:
        one = _crops_or_error(path, size, crops, previews)
        batch.append((path, one))
        waiting += len(one.pixels) if isinstance(one, Crops) else 0
        if waiting >= _BATCH:
            yield batch
            batch, waiting = [], 0
    if batch:
        yield batch


def _crops_or_error(path: Path, size: int, crops: int, preview: bool) -> Crops | NotAttributed:
    try:
        return read_crops(path, size, crops, preview=preview)
    except DatasetError as error:
        return NotAttributed(str(path), str(error))


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
    image: str, crops: Crops, scores: Scores, names: Sequence[str], calibration: Calibration, scope: Scope
) -> Attribution:
    count = len(scores.known_score)
    means = scores.class_scores.astype(np.float64).mean(axis=0)
    winner = _candidate(scores, means)
    known = float(scores.known_score.astype(np.float64).mean())
    threshold = calibration.threshold_for(winner, count)
    percentile = calibration.percentile(winner, known, count)
    others = [k for k in np.argsort(-means, kind="stable").tolist() if k != winner]
    margin = float(means[winner] - means[others[0]]) if others else 0.0
    agreement = float((scores.candidate == winner).mean())
    accepted = known >= threshold
    confidence = confidence_of(accepted, percentile, calibration.margin_percentile(margin), agreement, scope.refusing)
    candidate = names[winner]
    runner_up = str(names[others[0]]) if others else ""
    verdict = "reaches" if accepted else "is below"
    several = f" of {count} crops" if count > 1 else ""
    why = (
        f"most alike {candidate}; known score {known:.4g}{several} {verdict} the threshold {threshold:.4g} "
        f"({scope.threshold_rule}), higher than {percentile:.0%} of seen validation images"
    )
    return Attribution(
        image=image,
        candidate=candidate,
        known_score=known,
        threshold=threshold,
        accepted=accepted,
        source=candidate if accepted else UNKNOWN,
        class_scores={name: float(score) for name, score in zip(names, means, strict=True)},
        percentile=percentile,
        why=why,
        runner_up=runner_up,
        margin=margin,
        confidence=confidence,
        words=WORDS[accepted, confidence].format(candidate=candidate),
        agreement=agreement,
        crops=tuple(
            CropAnswer(x, y, names[int(named)], float(score), bool(score >= calibration.threshold))
            for (x, y), named, score in zip(crops.corners, scores.candidate, scores.known_score, strict=True)
        ),
        crop_size=scope.crop_size,
        width=crops.width,
        height=crops.height,
        format=crops.format,
        notes=crops.notes,
        scope=scope,
        preview=crops.preview,
    )


def _candidate(scores: Scores, means: np.ndarray) -> int:
    """The class that most crops name; of two named equally often, the one with the larger mean class score."""
    votes = np.bincount(scores.candidate, minlength=len(means))
    first = np.flatnonzero(votes == votes.max())
    return int(first[np.argmax(means[first])])
