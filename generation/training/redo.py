"""Trains one model of a zoo from packed pictures, exports it, and measures its distance to real pictures."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.progress import get_logger
from .report import points
from .work_folder import WorkFolder

TEACHER_SHARE = 0.25  # of the time, where there are no codes yet


@dataclass(frozen=True)
class Redone:
    """Sliced Wasserstein distances of samples to held-out crops, before and after. pictures: what it was trained on."""

    model: str
    pictures: str
    first: float
    last: float
    minutes: float

    @property
    def lowered(self) -> bool:
        return self.last < self.first

    def __str__(self) -> str:
        return (
            f"{self.model} on {self.pictures}: distance {self.first:.1f} at the start, {self.last:.1f} after "
            f"{self.minutes:.1f} minutes of training ({'lowered' if self.lowered else 'NOT lowered'})"
        )


def redo(work_folder: WorkFolder, model: str, minutes: float) -> Redone:
    """Train ``model`` for about ``minutes``, teacher included; on computed pictures where the real ones are missing."""
    generator, _, training_set = model.partition("/")
    work_folder.plan.recipe(generator)  # an unknown name should be told at once
    pictures = f"{training_set} pictures"
    if not work_folder.has_pictures(training_set):
        pictures = "computed stand-in pictures"
        get_logger().warning(
            "no '%s' pictures here (see the training README): computed stand-ins take their place", training_set
        )
        work_folder = work_folder.with_stand_in(training_set)
    if work_folder.plan.needs_codes(generator) and not work_folder.codes_file(training_set).exists():
        work_folder.teach(training_set, TEACHER_SHARE * minutes)
        minutes *= 1 - TEACHER_SHARE
    progress = work_folder.train(model, minutes).progress
    distances = [distance for _, distance in points(progress.curve, "swd")]
    return Redone(model, pictures, distances[0], distances[-1], progress.seconds / 60)
