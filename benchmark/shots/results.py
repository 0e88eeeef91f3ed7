"""What an experiment with few shots leaves in ``results.json``: its lines, and what a paper says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...core.text import printable
from ..experiment import Experiment
from ..result import Direction, ShotsResult
from ..results import CANNOT_TELL, made_of, verdict
from ..runs import Run
from .curves import Gap, ShotCurves


def shots_results(
    experiment: Experiment,
    curves: Sequence[ShotCurves],
    runs: Mapping[str, Sequence[Run]],
    suite_version: str,
    *,
    left_out: Mapping[str, str] | None = None,
) -> list[ShotsResult]:
    """One document for each drawing.

    Parameters
    ----------
    experiment : Experiment
        What was asked for.
    curves : sequence of ShotCurves
        Its lines.
    runs : mapping
        Label -> runs, which tell how a line of that entry is called.
    suite_version : str
        Version of the suite of the data set.
    left_out : mapping, optional
        Label -> why it could not run or failed.
    """
    published = experiment.published
    names = {label: printable(own[0].info.label, 200) or own[0].method for label, own in runs.items() if own}
    ahead = {names.get(label, label): shots for label, shots in published.ahead.items()} if published else {}
    return [
        ShotsResult(
            experiment=experiment.name,
            title=experiment.title,
            paper=published.paper if published else "",
            url=published.url if published else "",
            suite_version=suite_version,
            setting={
                "sources": one.classes + len(one.unseen),
                "test_per_source": one.images // (one.classes + len(one.unseen)),
                "most_shots": max(one.shots),
                "repeats": one.repeats,
            },
            published_setting=dict(published.setting) if published else {},
            ahead=ahead,
            curves=one,
            directions=tuple(_directions(one, ahead)),
            made=made_of(run for own in runs.values() for run in own),
            left_out=dict(left_out or {}),
            notes=experiment.notes,
        )
        for one in curves
    ]


def _directions(curves: ShotCurves, ahead: Mapping[str, int]) -> Iterator[Direction]:
    for crossing in curves.crossings:
        until = ahead.get(crossing.training_free)
        if until is None:
            continue
        few = _said(crossing.fewest, -1.0) if crossing.fewest.shots <= until else CANNOT_TELL
        many = _said(crossing.most, 1.0) if crossing.most.shots > until else CANNOT_TELL
        yield Direction(crossing.trained, crossing.training_free, few, many)


def _said(gap: Gap, direction: float) -> str:
    return verdict(direction, gap.low, gap.high)
