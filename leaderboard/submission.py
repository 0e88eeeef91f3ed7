"""A submission: one fit of a method over all its seeds, as files that anybody can check and that name themselves.

::

    submissions/<method>/<sha256 of submission.json>/submission.json     what is handed in, and the sha256 of every file
                                                     seed0/run.json
                                                           predictions.parquet
                                                     seed1/...

The same runs therefore always have the same place, and a changed file is noticed. Numbers are never submitted: a board
computes them from the predictions. Nor are models: no board runs them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from ..benchmark.predictions import row_budget
from ..benchmark.run_info import MAX_RUN_JSON_BYTES, RUN_FILE, MethodName, RunInfo, Sha256
from ..benchmark.runs import PREDICTIONS_FILE, Run
from ..core.documents import Limits, from_json, json_schema, to_json
from ..core.errors import RunError
from ..core.foreign import check_regular, read_foreign, read_json
from ..core.hashing import file_sha256
from ..core.text import printable
from .checklist import ChecklistItem, checklist

SUBMISSION_FILE = "submission.json"
SUBMISSIONS_FOLDER = "submissions"
SUBMISSION_SCHEMA_VERSION = 1

MAX_SEEDS = 100

SUBMITTED_FILE = re.compile(
    f"{re.escape(SUBMISSION_FILE)}|seed(?:0|[1-9][0-9]{{0,18}})/(?:{re.escape(RUN_FILE)}|{re.escape(PREDICTIONS_FILE)})"
)
"""What the files of a submission are called, below its folder."""


class SubmissionError(RunError):
    """A file of a submission is not as it should be; ``code`` is the verifier's word for it."""

    code: ClassVar[str] = "schema"


class PathError(SubmissionError):
    """A file that is missing, no regular one, or outside the submission."""

    code = "path-not-allowed"


class ChangedError(SubmissionError):
    """A file that was changed since it was submitted."""

    code = "file-changed"


class OtherFitError(SubmissionError):
    """A run of another fit than the submission's."""

    code = "not-one-fit"


class TooLargeError(SubmissionError):
    """More bytes or rows than the manifest allows."""

    code = "too-large"


Seed = Annotated[int, Limits(least=0, most=2**63 - 1)]


@dataclass(frozen=True)
class SubmittedRun:
    """One seed of a submission, in the folder ``seed<seed>``.

    Parameters
    ----------
    seed : int
        Of the fit.
    run_sha256, predictions_sha256 : str
        Of ``run.json`` and of ``predictions.parquet``.
    """

    seed: Seed
    run_sha256: Sha256
    predictions_sha256: Sha256

    @property
    def folder(self) -> str:
        """Its folder in the submission."""
        return f"seed{self.seed}"


@dataclass(frozen=True)
class SubmissionInfo:
    """``submission.json``: one fit of a method over all its seeds.

    Parameters
    ----------
    method : str
        Registered name of the method.
    manifest_id : str
        What all its runs answered.
    runs : tuple of SubmittedRun
        One for each seed, ascending.
    """

    method: MethodName
    manifest_id: Sha256
    runs: Annotated[tuple[SubmittedRun, ...], Limits(shortest=1, longest=MAX_SEEDS, unique=True)]
    schema_version: Literal[1] = SUBMISSION_SCHEMA_VERSION

    @property
    def is_ordered(self) -> bool:
        """Whether its seeds are ascending, each once."""
        seeds = [run.seed for run in self.runs]
        return seeds == sorted(set(seeds))

    def to_bytes(self) -> bytes:
        """The file; its SHA-256 names the submission."""
        return (json.dumps(to_json(self), indent=2) + "\n").encode()


def read_submission_info(folder: Path) -> SubmissionInfo:
    """``submission.json`` of a folder, checked by its schema; RunError in one line."""
    document = read_json(folder / SUBMISSION_FILE, RunError, MAX_RUN_JSON_BYTES)
    return from_json(SubmissionInfo, document, SUBMISSION_FILE, RunError)


def submission_schema() -> dict[str, Any]:
    """The JSON Schema of ``submission.json``."""
    return json_schema(SubmissionInfo)


@dataclass(frozen=True)
class Submission:
    """Checked files of one fit over all its seeds.

    Parameters
    ----------
    path : str
        Where they belong inside any target, with forward slashes; named by their content.
    digest : str
        The SHA-256 in that path.
    title : str
        One line for people.
    files : dict of str to bytes
        Path below ``path`` -> content.
    checklist : tuple of ChecklistItem
        What is needed to get its numbers again; no part of the files, since it follows from them.
    """

    path: str
    digest: str
    title: str
    files: dict[str, bytes]
    checklist: tuple[ChecklistItem, ...]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Submission:
        """The submission of some runs, which differ in nothing but their seeds."""
        ordered = sorted(runs, key=lambda run: run.seed)
        files: dict[str, bytes] = {}
        listed: list[SubmittedRun] = []
        for run in ordered:
            info = read_foreign(run.folder / RUN_FILE, RunError, MAX_RUN_JSON_BYTES)
            predictions = (run.folder / PREDICTIONS_FILE).read_bytes()
            listed.append(SubmittedRun(run.seed, _sha256(info), _sha256(predictions)))
            files |= {f"seed{run.seed}/{RUN_FILE}": info, f"seed{run.seed}/{PREDICTIONS_FILE}": predictions}
        first = ordered[0]
        document = SubmissionInfo(first.method, first.manifest_id, tuple(listed)).to_bytes()
        digest = _sha256(document)
        title = f"{fit_title(ordered)}, manifest {first.manifest_id:.12}"
        path = f"{SUBMISSIONS_FOLDER}/{first.method}/{digest}"
        asked = checklist([run.info for run in ordered])
        return cls(path, digest, title, {SUBMISSION_FILE: document, **files}, asked)


def open_submission(folder: Path) -> tuple[Run, ...]:
    """The runs of a submitted folder, by seed.

    RunError in one line if anything about it is wrong: a file that is missing, changed or too large, a folder that is
    not named after its content, runs of different fits.
    """
    where = printable(folder)
    data = read_foreign(folder / SUBMISSION_FILE, RunError, MAX_RUN_JSON_BYTES)
    if _sha256(data) != folder.name:
        raise RunError(f"{where}: is not named after its content; it was changed since it was submitted.")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where}: {SUBMISSION_FILE} is not readable JSON ({printable(error)}).") from error
    info = from_json(SubmissionInfo, document, f"{where}/{SUBMISSION_FILE}", RunError)
    if not info.is_ordered:
        raise RunError(f"{where}: its seeds are not ascending, each once.")
    runs = tuple(open_submitted_run(folder, run, info) for run in info.runs)
    check_one_fit(runs)
    return runs


def open_submitted_run(submission: Path, said: SubmittedRun, info: SubmissionInfo) -> Run:
    """One run of a submission, if its files are what ``submission.json`` says.

    Parameters
    ----------
    submission : Path
        The folder of the submission.
    said : SubmittedRun
        Which run, and what its files hash to.
    info : SubmissionInfo
        What all its runs have in common.

    Raises
    ------
    SubmissionError
        By its kind: a link or a file that is missing, changed, too large, or of another fit.
    RunError
        A ``run.json`` that cannot be read.
    """
    where, folder = printable(submission), submission / said.folder
    for path in (folder, folder / RUN_FILE, folder / PREDICTIONS_FILE):
        if path.is_symlink():
            raise PathError(f"{where}: {said.folder} leads out of the submission by a link: refused.")
    if _sha256(read_foreign(folder / RUN_FILE, RunError, MAX_RUN_JSON_BYTES)) != said.run_sha256:
        raise ChangedError(f"{where}: {said.folder}/{RUN_FILE} was changed since it was submitted.")
    run = Run.open(folder)
    if (run.method, run.seed, run.manifest_id) != (info.method, said.seed, info.manifest_id):
        raise OtherFitError(
            f"{where}: {said.folder} is a run of another method, seed or manifest than {SUBMISSION_FILE}."
        )
    check_regular(folder / PREDICTIONS_FILE, PathError, _largest_predictions(run.info), TooLargeError)
    if file_sha256(folder / PREDICTIONS_FILE) != said.predictions_sha256:
        raise ChangedError(f"{where}: {said.folder}/{PREDICTIONS_FILE} was changed since it was submitted.")
    return run


def fit_title(runs: Sequence[Run]) -> str:
    """Method and seeds of the runs of one fit, for people."""
    seeds = ", ".join(str(run.seed) for run in runs)
    return f"{runs[0].method}, seed{'s' if len(runs) > 1 else ''} {seeds}"


def _largest_predictions(info: RunInfo) -> int:
    """What a predictions file may weigh before it is hashed; the manifest sets narrower limits before it is read."""
    images = sum(count for splits in info.manifest.counts.values() for count in splits.values())
    return min(row_budget(images, len(info.manifest.seen), len(info.rules)).file_bytes, 1 << 31)


def check_one_fit(runs: Sequence[Run]) -> None:
    """RunError unless runs differ in nothing but their seeds, and are as they were fitted: no source joined later."""
    first = runs[0].info
    seeds: set[int] = set()
    for run in runs:
        run.check_as_fitted()
        info = run.info
        different = [
            name
            for name, one, other in (
                ("method", first.method, info.method),
                ("settings", first.config.key, info.config.key),
                ("code", first.code_sha256, info.code_sha256),
                ("manifest", first.manifest.manifest_id, info.manifest.manifest_id),
                ("rejection rules", first.rules, info.rules),
            )
            if one != other
        ]
        if different:
            raise RunError(
                f"{printable(runs[0].folder)} and {printable(run.folder)} differ in {' and '.join(different)}: a "
                "submission is one fit over its seeds; submit them apart."
            )
        if run.seed in seeds:
            raise RunError(f"{printable(run.folder)}: seed {run.seed} is there twice; submit one of the two.")
        seeds.add(run.seed)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
