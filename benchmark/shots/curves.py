"""Accuracy against shots, as documents: lines, their points, and where they cross (paper 2, Fig. 4).

A *line* is one method with its settings: a point for every number of shots, the mean over repeats. A method that is
training-free has one value, whatever the shots: a horizontal line. Where the line of a trained method comes to lie
above it for good is the *crossing*: from so many shots on the trained method is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd

from ...core.documents import Limits, Number, from_json, to_json
from ...core.errors import RunError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ShotPoint:
    """A method with so many shots.

    Parameters
    ----------
    shots : int
        Training images of a generator; 0 of a training-free method.
    value, low, high : float
        Mean of the metric over repeats, with its interval.
    repeats : dict of str to float
        Repeat -> its value.
    """

    shots: int
    value: Number
    low: Number
    high: Number
    repeats: Annotated[dict[str, Number], Limits(longest=1000)]


@dataclass(frozen=True)
class ShotLine:
    """One method with its settings.

    Parameters
    ----------
    label, method : str
        The entry, and its method.
    training_free : bool
        Whether shots make no difference to it; it has one point then.
    points : tuple of ShotPoint
        In the order of shots.
    """

    label: str
    method: str
    training_free: bool
    points: Annotated[tuple[ShotPoint, ...], Limits(shortest=1, longest=10_000)]


@dataclass(frozen=True)
class Gap:
    """The trained method minus the training-free one at a number of shots, with its interval."""

    shots: int
    difference: Number
    low: Number
    high: Number


@dataclass(frozen=True)
class Crossing:
    """From how many shots on a trained method lies above a training-free one.

    Parameters
    ----------
    trained, training_free : str
        Labels.
    shots, low, high : float, optional
        Where the lines cross for the last time, with its interval: between the numbers of shots lines are straight on a
        logarithmic scale. None where the trained method is not above with as many shots as there are; the smallest
        number of shots where it is above from there on.
    fewest, most : Gap
        The difference with the smallest and the largest number of shots.
    """

    trained: str
    training_free: str
    shots: float | None
    low: float | None
    high: float | None
    fewest: Gap
    most: Gap


@dataclass(frozen=True)
class ShotCurves:
    """All lines over one choice of unseen generators and one number of classes.

    Parameters
    ----------
    suite, protocol : str
        What was answered.
    unseen : tuple of str
        Unseen generators; empty for a closed set.
    classes : int
        How many generators are seen.
    metric : str
        What is drawn.
    shots : tuple of int
        Numbers of shots of any line.
    repeats, images, groups : int
        Most repeats of a point, test images, and groups of them that were resampled (0: images by themselves).
    level : float
        Coverage that intervals aim at.
    replicates, seed : int
        Of the resampling.
    lines : tuple of ShotLine
        Training-free ones first, then by the value with the most shots.
    crossings : tuple of Crossing
        Of every trained line with every training-free one.
    """

    suite: str
    protocol: str
    unseen: tuple[str, ...]
    classes: int
    metric: str
    shots: tuple[int, ...]
    repeats: int
    images: int
    groups: int
    level: float
    replicates: int
    seed: int
    lines: Annotated[tuple[ShotLine, ...], Limits(shortest=1, longest=10_000)]
    crossings: Annotated[tuple[Crossing, ...], Limits(longest=100_000)] = ()

    @property
    def title(self) -> str:
        """What tells it from other curves of the same runs."""
        unseen = f", unseen: {', '.join(self.unseen)}" if self.unseen else ""
        return f"{self.suite}, {self.protocol}, {self.classes} classes{unseen}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; undefined numbers are None."""
        return to_json(self)

    @classmethod
    def from_json(cls, document: Any, where: str = "shots") -> ShotCurves:
        """The curves of a document that :meth:`to_json` made; RunError names the first wrong key."""
        return from_json(cls, document, where, RunError)

    def to_frame(self) -> pd.DataFrame:
        """One row per line and number of shots, a training-free line at all of them.

        Returns
        -------
        pandas.DataFrame
            ``label``, ``method``, ``training_free``, ``shots``, the metric by its name, ``low``, ``high``, ``repeats``.
        """
        rows = [
            (line.label, line.method, line.training_free, shots, point.value, point.low, point.high, len(point.repeats))
            for line in self.lines
            for point in line.points
            for shots in (self.shots if line.training_free else (point.shots,))
        ]
        names = ["label", "method", "training_free", "shots", self.metric, "low", "high", "repeats"]
        return pd.DataFrame(rows, columns=names)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the lines with their intervals as bands, and the crossings.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure without it.

        Returns
        -------
        matplotlib.axes.Axes
            UsageError if matplotlib is not installed: it is the extra ``plot``.
        """
        from .drawing import draw

        return draw(self, ax)

    def save_figure(self, path: str | Path) -> Path:
        """Draw into a file; its ending says the format (``.svg``, ``.png``). Errors as of :meth:`plot`."""
        from .drawing import save

        return save(self, Path(path))
