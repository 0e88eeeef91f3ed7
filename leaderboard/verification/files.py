"""The files of a submission, before anything in them is believed: allowed paths, documents, hashes, one fit."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from ...benchmark.run_info import RUN_FILE
from ...benchmark.runs import PREDICTIONS_FILE, Run
from ...core.errors import RunError
from ...core.hashing import file_sha256
from ...core.text import printable
from ..submission import (
    MAX_SEEDS,
    SUBMISSION_FILE,
    SUBMITTED_FILE,
    SubmissionError,
    SubmissionInfo,
    check_one_fit,
    open_submitted_run,
    read_submission_info,
)
from .verdict import ProblemError

_FOLDER = re.compile("seed(?:0|[1-9][0-9]{0,18})")
_MOST_FILES = 3 * MAX_SEEDS + 1


def check_paths(folder: Path) -> None:
    """ProblemError unless the folder holds the files of a submission alone, all of them regular."""
    if not folder.is_dir() or not os.path.lexists(folder / SUBMISSION_FILE):
        raise ProblemError("not-found", f"{printable(folder)} is not a submission: it has no {SUBMISSION_FILE}.")
    for count, (name, path) in enumerate(_walk(folder)):
        if count >= _MOST_FILES:
            raise ProblemError("path-not-allowed", f"more than {_MOST_FILES} files.")
        mode = os.lstat(path).st_mode
        fits = stat.S_ISREG(mode) and SUBMITTED_FILE.fullmatch(name)
        if not fits and not (stat.S_ISDIR(mode) and _FOLDER.fullmatch(name)):
            kind = "a link" if stat.S_ISLNK(mode) else "no file of a submission"
            raise ProblemError("path-not-allowed", f"'{printable(name, 100)}' is {kind}.")


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """What lies in a folder and in its folders, by name; nothing deeper, since nothing deeper is allowed."""
    for entry in os.scandir(folder):
        yield entry.name, Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            for inner in os.scandir(entry.path):
                yield f"{entry.name}/{inner.name}", Path(inner.path)


def read_submission(folder: Path) -> SubmissionInfo:
    """``submission.json``, checked by its schema and against the name of its folder."""
    try:
        info = read_submission_info(folder)
    except RunError as error:
        raise ProblemError("schema", _short(error, folder)) from error
    if not info.is_ordered:
        raise ProblemError("schema", f"{SUBMISSION_FILE}: its seeds are not ascending, each once.")
    if file_sha256(folder / SUBMISSION_FILE) != folder.name:
        raise ProblemError("not-named-by-content", f"{printable(folder.name, 70)} is not the SHA-256 of its content.")
    return info


def open_runs(folder: Path, info: SubmissionInfo) -> tuple[Run, ...]:
    """The runs that it lists; ProblemError if a file is missing, changed, too large, or of another fit."""
    listed = {SUBMISSION_FILE, *(f"{r.folder}/{n}" for r in info.runs for n in (RUN_FILE, PREDICTIONS_FILE))}
    for name, path in _walk(folder):
        if name not in listed and not path.is_dir():
            raise ProblemError("path-not-allowed", f"'{printable(name, 100)}' is not listed in {SUBMISSION_FILE}.")
    runs: list[Run] = []
    for said in info.runs:
        try:
            runs.append(open_submitted_run(folder, said, info))
        except SubmissionError as error:
            raise ProblemError(error.code, _short(error, folder)) from error
        except RunError as error:
            raise ProblemError("schema", _short(error, folder)) from error
    try:
        check_one_fit(runs)
    except RunError as error:
        raise ProblemError("not-one-fit", _short(error, folder)) from error
    return tuple(runs)


def _short(error: Exception, folder: Path) -> str:
    """The message without the path to the submission: it may be a server's."""
    text, where = str(error).removeprefix(f"{printable(folder)}: "), printable(folder)
    return text.replace(f"{where}/", "").replace(where, "the submission")
