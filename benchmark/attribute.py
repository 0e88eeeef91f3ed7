"""Which generator made this image, or is it one that nobody has seen? Asks a finished run about single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DatasetError
from ..generation.image_files import check_8_bit_colour, open_image
from .method import Method, Scores
from .runs import Run, load_model
from .score import threshold_of

UNKNOWN = "unknown"

_BATCH = 256


@dataclass(frozen=True)
class Attribution:
    """The answer for one image.

    Attributes
    ----------
    candidate: the seen generator it is most alike.
    known_score, threshold: it is accepted iff ``known_score >= threshold``.
    source: the candidate if accepted, else ``"unknown"``.
    class_scores: every seen generator's score, higher = more alike.
    percentile: share of seen validation images whose known_score is lower, 0..1.
    why: one sentence for people.
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

    def document(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)


def attribute(
    images: Sequence[Path], run: Run, *, threshold_rule: str = "accept-95", method_file: str | None = None
) -> list[Attribution]:
    """Attribute image files with the model of a run.

    The centre crop of the run's crop size is judged, nothing is resampled. The threshold comes from the run's own
    answers for seen validation images, so no dataset is needed. ``method_file``: where the method is defined, if it
    is not registered.

    Raises DatasetError for a file that is no image or too small, RunError for a run without model or manifest.
    """
    crop_size = int(run.info["config"]["resolved"]["crop_size"])
    threshold, val_scores = threshold_of(run, run.manifest(), threshold_rule)
    method = load_model(run, method_file)
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    scores = Scores.concatenate([_answers(method, run.rejection, batch, crop_size) for batch in batches]).check()
    return [
        _explain(str(path), scores, i, run.class_names, threshold, val_scores, threshold_rule)
        for i, path in enumerate(images)
    ]


def _answers(method: Method, rejection: str, images: Sequence[Path], crop_size: int) -> Scores:
    return method.predict(np.stack([read_centre_crop(Path(path), crop_size) for path in images]))[rejection]


def read_centre_crop(path: Path, size: int) -> np.ndarray:
    """The centre crop of an image file, uint8 (size, size, 3); DatasetError in one line if there is none."""
    with open_image(path) as picture:
        if min(picture.size) < size:
            raise DatasetError(
                f"{path}: {picture.width}x{picture.height} is smaller than the {size} px crop of the run; "
                "nothing is resampled."
            )
        check_8_bit_colour(path, picture)
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        return np.asarray(picture.crop((left, top, left + size, top + size)).convert("RGB"))


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
