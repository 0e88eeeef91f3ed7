"""Lines over shots from runs, with intervals.

Intervals answer: other test images, other training images and another training? See :mod:`.draws`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UsageError
from ...core.text import printable
from ..answers import Answers
from ..manifest import Manifest
from ..metrics import METRICS, primary_metric
from ..metrics.outcome import FloatArray
from ..metrics.resampling import Resamples
from ..metrics.tally import Tally
from ..runs import NATIVE, Run
from .curves import Crossing, Gap, ShotCurves, ShotLine, ShotPoint
from .draws import LEVEL, Cell, Draws, bounds, mean_cell


def shot_curves(
    runs: Sequence[Run],
    manifests: Mapping[str, Manifest],
    *,
    metric: str | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> list[ShotCurves]:
    """The lines of some runs, one drawing for every choice of unseen generators and number of classes.

    Parameters
    ----------
    runs : sequence of Run
        Those on manifests without shots are left aside.
    manifests : mapping of str to Manifest
        Manifest id -> manifest, of all these runs.
    metric : str, optional
        A name of :data:`~osbench.benchmark.metrics.METRICS`; without it the one that ranks: accuracy where nobody is
        unseen. Runs are read by their native rule, thresholds chosen as ever.
    replicates, seed : int
        Of the resampling.

    Raises
    ------
    UsageError
        Unknown metric, or one that needs unseen images where there are none.
    RunError
        Answers that do not fit their manifest.
    """
    panels: dict[tuple[str, str, tuple[str, ...], int], list[Run]] = {}
    for run in runs:
        manifest = manifests[run.manifest_id]
        if manifest.shots:
            key = (manifest.suite, manifest.protocol, manifest.unseen, len(manifest.seen))
            panels.setdefault(key, []).append(run)
    return [_Panel(panels[key], manifests, metric, replicates, seed).curves() for key in sorted(panels)]


class _Panel:
    """Runs of one choice of unseen generators and one number of classes."""

    def __init__(
        self, runs: Sequence[Run], manifests: Mapping[str, Manifest], metric: str | None, replicates: int, seed: int
    ) -> None:
        self.runs, self.manifests, self.replicates, self.seed = runs, manifests, replicates, seed
        self.first = manifests[runs[0].manifest_id]
        self.metric = metric or primary_metric(len(self.first.unseen))
        if self.metric not in METRICS or not (self.first.unseen or METRICS[self.metric].closed):
            raise UsageError(f"'{printable(self.metric, 60)}' is no metric of {self.first.protocol}.")
        tests = [manifests[run.manifest_id].rows("test") for run in runs]
        groups = sorted({str(name) for test in tests if "group" in test for name in test["group"]})
        self.draws = Draws(groups, 1 + max(manifests[run.manifest_id].repeat for run in runs), replicates, seed)

    def curves(self) -> ShotCurves:
        """Everything of this panel."""
        labels, by_line = self._lines()
        numbers = {key: self._numbers(runs) for key, runs in by_line.items()}
        lines = {key: self._line(labels[key], by_line[key], numbers[key]) for key in by_line}
        ordered = sorted(lines, key=lambda key: (not lines[key].training_free, -lines[key].points[-1].value))
        free = [key for key in ordered if lines[key].training_free]
        crossings = [
            self._crossing(lines[key], numbers[key], lines[other], numbers[other])
            for key in ordered
            if key not in free
            for other in free
        ]
        return ShotCurves(
            suite=self.first.suite,
            protocol=self.first.protocol,
            unseen=self.first.unseen,
            classes=len(self.first.seen),
            metric=self.metric,
            shots=tuple(sorted({self.manifests[run.manifest_id].shots for run in self.runs})),
            repeats=max(len(point.repeats) for line in lines.values() for point in line.points),
            images=len(self.first.rows("test")),
            groups=len(self.draws.groups),
            level=LEVEL,
            replicates=self.replicates,
            seed=self.seed,
            lines=tuple(lines[key] for key in ordered),
            crossings=tuple(crossings),
        )

    def _lines(self) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], list[Run]]]:
        """Labels and runs by method and settings; a label that two have gets their hash."""
        found: dict[tuple[str, str], list[Run]] = {}
        for run in self.runs:
            found.setdefault((run.method, run.info.config.key), []).append(run)
        names = {key: printable(own[0].info.label, 200) or key[0] for key, own in found.items()}
        several = {name for name in names.values() if list(names.values()).count(name) > 1}
        return {key: f"{name} {key[1]}" if name in several else name for key, name in names.items()}, found

    def _numbers(self, runs: Sequence[Run]) -> dict[int, dict[int, Cell]]:
        """Shots -> repeat -> numbers, means over the seeds of a fold."""
        free = all(run.info.training_free for run in runs)
        cells: dict[int, dict[int, list[Cell]]] = {}
        for run in runs:
            manifest = self.manifests[run.manifest_id]
            own = cells.setdefault(0 if free else manifest.shots, {})
            own.setdefault(manifest.repeat, []).append(self._cell(run.answers(NATIVE, manifest)))
        return {
            shots: {repeat: mean_cell(several) for repeat, several in sorted(by_repeat.items())}
            for shots, by_repeat in sorted(cells.items())
        }

    def _cell(self, answers: Answers) -> Cell:
        kernel, threshold, test = METRICS[self.metric].kernel, answers.threshold(), answers.test
        value = float(kernel(Tally(test, threshold))[0])
        parts = [kernel(Tally(test, threshold, weights)) for weights in self._weights(answers)]
        return Cell(value, np.concatenate(parts))

    def _weights(self, answers: Answers) -> Iterator[NDArray[np.uint16]]:
        """How often each test image counts in each replicate, some replicates at a time."""
        test = answers.manifest.rows("test")
        if "group" in test:
            return self.draws.weights([str(name) for name in test["group"]])
        return Resamples(answers.test, self.replicates, self.seed).blocks()

    def _line(self, label: str, runs: Sequence[Run], numbers: Mapping[int, Mapping[int, Cell]]) -> ShotLine:
        points: list[ShotPoint] = []
        for shots, cells in numbers.items():
            low, high = bounds(np.clip(self.draws.mean(cells), 0.0, 1.0))
            value = float(np.mean([cell.value for cell in cells.values()]))
            each = {str(repeat): cell.value for repeat, cell in cells.items()}
            points.append(ShotPoint(shots, value, low, high, each))
        return ShotLine(label, runs[0].method, 0 in numbers, tuple(points))

    def _crossing(
        self,
        trained: ShotLine,
        numbers: Mapping[int, Mapping[int, Cell]],
        free: ShotLine,
        free_numbers: Mapping[int, Mapping[int, Cell]],
    ) -> Crossing:
        shots = np.array(list(numbers), float)
        level = self.draws.mean(free_numbers[0])
        above = np.stack([self.draws.mean(cells) for cells in numbers.values()], axis=1) - level[:, None]
        estimate = np.array([point.value for point in trained.points]) - free.points[0].value
        where = crossing_of(shots, estimate[None])[0]
        low, high = bounds(crossing_of(shots, above))
        gaps = [
            Gap(int(shots[i]), float(estimate[i]), *bounds(np.clip(above[:, i], -1.0, 1.0)))
            for i in (0, len(shots) - 1)
        ]
        return Crossing(trained.label, free.label, _or_none(where), _or_none(low), _or_none(high), *gaps)


def crossing_of(shots: FloatArray, above: FloatArray) -> FloatArray:
    """Where lines come to lie at or above zero for good, (B,), from their values (B, S) at shots (S,), ascending.

    Between the numbers of shots lines are straight on a logarithmic scale, as they are drawn. The first of these
    numbers where a line is nowhere below, infinity where its end is.

    Examples
    --------
    >>> above = np.array([[-0.2, 0.2, 0.3], [0.1, 0.1, 0.1], [0.5, 0.1, -0.1]])
    >>> crossing_of(np.array([1.0, 4.0, 10.0]), above).tolist()
    [2.0, 1.0, inf]
    """
    below = above < 0
    last = above.shape[1] - 1 - np.argmax(below[:, ::-1], axis=1)  # the last number of shots below zero
    rows, after = np.arange(len(above)), np.minimum(last + 1, above.shape[1] - 1)
    fall, rise = above[rows, last], above[rows, after]
    share = np.divide(-fall, rise - fall, out=np.zeros(len(above)), where=rise > fall)
    found = shots[last] * (shots[after] / shots[last]) ** share
    found = np.where(below[:, -1], np.inf, found)
    return np.where(below.any(axis=1), found, shots[0])


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
