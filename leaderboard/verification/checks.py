"""All checks of one submission, in the order in which they become affordable. Runs in a process of its own."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...benchmark.manifest import Manifest
from ...benchmark.runs import find_manifest
from ...core.errors import OsbenchError
from ...generation.dataset import Dataset
from ..board import build_board
from ..collect import reason
from ..sources import lookup_manifest
from ..tables import shown_metrics
from .answers import check_manifest, read_answers
from .files import check_paths, open_runs, read_submission
from .twins import check_twins
from .verdict import Metrics, Problem, ProblemError, Scored, Verdict, problem


@dataclass(frozen=True)
class Request:
    """What is to be verified.

    Parameters
    ----------
    path : Path
        The folder of a submission.
    manifests : Path, optional
        A folder that holds ``manifests/<id>.parquet``; without it, the folders above ``path``.
    data : Path, optional
        The dataset, for manifests that are not there.
    against : Path, optional
        A folder of accepted submissions, which must not hold a twin.
    bootstrap : int
        Replicates of the intervals.
    """

    path: Path
    manifests: Path | None = None
    data: Path | None = None
    against: Path | None = None
    bootstrap: int = 1000


def check(request: Request) -> Verdict:
    """Verify and score; whatever a submission is, the answer is a verdict."""
    folder = Path(request.path)
    problems: list[Problem] = []
    try:
        check_paths(folder)
        info = read_submission(folder)
        runs = open_runs(folder, info)
        manifest = manifest_of(request, info.manifest_id)
        for run in runs:
            try:
                check_manifest(run, manifest)
                read_answers(run, manifest)
            except ProblemError as error:  # the other seeds are looked at as well
                problems.append(error.problem)
        if problems:
            return Verdict.refused(problems, folder.name)
        if request.against is not None:
            check_twins(folder, info, runs, request.against)
        return Verdict(True, (), score(folder, manifest, request.bootstrap), folder.name)
    except ProblemError as error:
        return Verdict.refused([*problems, error.problem], folder.name)


def manifest_of(request: Request, manifest_id: str) -> Manifest:
    """The manifest that a submission answers; ProblemError if the board has none of that id."""
    places = [request.manifests] if request.manifests else list(request.path.resolve().parents)[:4]
    for place in places:
        try:
            return find_manifest(place, manifest_id)
        except OsbenchError:
            continue
    try:
        if request.data is not None:
            return lookup_manifest(request.path, Dataset.open(request.data))(manifest_id)
    except OsbenchError as error:
        raise ProblemError("manifest-unknown", str(error)) from error
    raise ProblemError("manifest-unknown", f"manifest {manifest_id[:12]} is none of those that are known here.")


def score(folder: Path, manifest: Manifest, bootstrap: int) -> Metrics:
    """The numbers of a submission, as on a board of it alone."""
    with tempfile.TemporaryDirectory() as alone:
        place = Path(alone) / "submission"
        place.mkdir()
        (place / folder.name).symlink_to(folder.resolve())
        try:
            board = build_board(alone, bootstrap=bootstrap, manifest_lookup=lambda _: manifest)
        except OsbenchError as error:
            text = reason(error).replace(f"{alone}/", "").replace(f"submission/{folder.name}", "the submission")
            raise ProblemError("not-scorable", text) from error
    names = shown_metrics(board)
    return {
        entry.rule: {name: Scored(m.estimate, m.low, m.high) for name in names for m in [entry.metrics[name]]}
        for entry in board.entries
    }


def unreadable(error: BaseException) -> Verdict:
    """The verdict on what no check foresaw."""
    return Verdict.refused([problem("predictions-unreadable", f"cannot be read ({type(error).__name__}: {error}).")])
