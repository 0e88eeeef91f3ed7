"""Accuracy against shots as a figure (paper 2, Fig. 4). Needs matplotlib, the extra ``plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import UsageError
from ...core.publish import publishing
from ..metrics import METRICS
from .curves import ShotCurves, ShotLine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")
NO_MATPLOTLIB = "drawing needs matplotlib: pip install 'osbench[plot]'."

_WIDTH, _HEIGHT = 8.0, 5.0  # inches


def draw(curves: ShotCurves, ax: Axes | None = None) -> Axes:
    """The lines with their intervals as bands, training-free ones dashed, and the crossings as dots."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import NullLocator
    except ImportError as error:
        raise UsageError(NO_MATPLOTLIB) from error
    axes: Any = ax if ax is not None else Figure(figsize=(_WIDTH, _HEIGHT)).subplots()
    for i, line in enumerate(curves.lines):
        _draw_line(axes, line, curves.shots, f"C{i % 10}")
    heights = {line.label: line.points[0].value for line in curves.lines if line.training_free}
    for crossing in curves.crossings:
        if crossing.shots is not None and crossing.shots > crossing.fewest.shots:
            axes.plot(crossing.shots, heights[crossing.training_free], "o", color="black", ms=4, zorder=4)
    axes.set_xscale("log")
    axes.set_xticks(curves.shots, [str(shots) for shots in curves.shots])
    axes.xaxis.set_minor_locator(NullLocator())
    title = METRICS[curves.metric].title if curves.metric in METRICS else curves.metric
    axes.set(xlabel="shots: training images of every generator", ylabel=title, ylim=(0, 1), title=curves.title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.01, 0.5))
    return axes


def _draw_line(axes: Any, line: ShotLine, shots: tuple[int, ...], colour: str) -> None:
    points = line.points * len(shots) if line.training_free else line.points
    at = list(shots) if line.training_free else [point.shots for point in line.points]
    style = "--" if line.training_free else "o-"
    axes.plot(at, [point.value for point in points], style, ms=3, color=colour, label=line.label)
    low, high = ([getattr(point, end) for point in points] for end in ("low", "high"))
    axes.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)


def save(curves: ShotCurves, path: Path) -> Path:
    """Draw into a file of one of :data:`FORMATS`; UsageError for another ending, or without matplotlib."""
    if path.suffix not in FORMATS:
        raise UsageError(f"{path}: a figure ends in {' or '.join(FORMATS)}.")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(NO_MATPLOTLIB) from error
    library: Any = matplotlib
    figure: Any = Figure(figsize=(_WIDTH, _HEIGHT))
    draw(curves, figure.subplots())
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without a date, and with fixed ids, the same numbers give the same file.
    with library.rc_context({"svg.hashsalt": "osbench", "svg.fonttype": "none"}), publishing(path) as partial:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(partial, format=path.suffix[1:], dpi=150, metadata=metadata, bbox_inches="tight")
    return path
