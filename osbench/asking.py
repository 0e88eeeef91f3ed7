"""The Python interface to a finished run that is asked about pictures. It loads nothing that the run's method does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .baselines.packaged_run import packaged_run
from .benchmark.answers import DEFAULT_THRESHOLD_RULE
from .benchmark.attribute import attribute as attribute_files
from .benchmark.attribution import Attribution, NotAttributed
from .benchmark.crops import MOST_CROPS
from .benchmark.picture_files import picture_files
from .benchmark.runs import NATIVE, Run, only_run
from .core.defaults import RUNS


def attribute(
    images: str | Path | Sequence[str | Path],
    run: Run | str | Path | None = None,
    *,
    rule: str = NATIVE,
    threshold_rule: str = DEFAULT_THRESHOLD_RULE,
    method_file: str | None = None,
    caption: str | None = None,
    crops: int = MOST_CROPS,
    cameras: Sequence[str] = (),
    previews: bool = False,
) -> list[Attribution | NotAttributed]:
    """Which source made these pictures, or one that nobody has seen?

    Parameters
    ----------
    images : str, Path or sequence of them
        Files, folders, and patterns such as ``scans/*.jpg``.
    run : Run, str or Path, optional
        A run with its model, or the folder of one; :func:`default_run` without it.
    rule, threshold_rule : str
        Rejection rule, and how its threshold is chosen.
    method_file : str, optional
        File of a method that is not installed.
    caption : str, optional
        What the pictures show, for a method that reads captions.
    crops : int
        How many crops of a picture are asked about at most; 1 is its centre.
    cameras : sequence of str
        Sources of the run that are camera pictures, beside those that its suite says to be.
    previews : bool
        Whether answers carry a small picture, for a report.

    Returns
    -------
    list of Attribution or NotAttributed
        One per file, in order; a file that cannot be read costs its own answer only.
    """
    return attribute_files(
        picture_files(listed(images)),
        default_run() if run is None else opened(run),
        rule=rule,
        threshold_rule=threshold_rule,
        method_file=method_file,
        caption=caption,
        crops=crops,
        cameras=cameras,
        previews=previews,
    )


def default_run() -> Run:
    """The only run in the folder ``runs``; where there is no such folder, the one that comes with the package."""
    return only_run() if RUNS.is_dir() else packaged_run()


def listed(images: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """What was given, as a list."""
    return [images] if isinstance(images, str | Path) else list(images)


def opened(run: Run | str | Path) -> Run:
    """The run of a folder."""
    return run if isinstance(run, Run) else Run.open(Path(run))
