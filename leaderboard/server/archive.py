"""A submission as one ZIP file: how it travels. Read within budgets, before and while it is unpacked."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from ...benchmark.run_info import MAX_RUN_JSON_BYTES, RUN_FILE
from ...benchmark.runs import PREDICTIONS_FILE
from ...core.publish import sync_folder
from ...core.text import printable
from ..submission import MAX_SEEDS, SUBMISSION_FILE, SUBMITTED_FILE, Submission
from .refusal import RefusalError

_MAX_FILES = 2 * MAX_SEEDS + 1
_CHUNK = 1 << 20
_END = 22
_MAX_DIRECTORY_BYTES = 1 << 18
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MADE = (1980, 1, 1, 0, 0, 0)


def pack(submission: Submission) -> bytes:
    """The files of a submission as a ZIP file; the same submission gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(submission.files):
            # Predictions are compressed already.
            method = zipfile.ZIP_STORED if name.endswith(PREDICTIONS_FILE) else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, _MADE), submission.files[name], method)
    return buffer.getvalue()


def unpack(handle: BinaryIO, into: Path, unpacked_bytes: int) -> Path:
    """Write the files of an archive below ``into``, synced, in a folder that is named by their content.

    Parameters
    ----------
    handle : binary file
        The ZIP file: a submission, or one folder that holds one.
    into : Path
        An empty folder.
    unpacked_bytes : int
        Most bytes of all files together.

    Returns
    -------
    Path
        The folder; RefusalError if the archive is damaged, too large, or holds anything else.
    """
    try:
        _check_directory(handle)
        with zipfile.ZipFile(handle) as archive:
            members = _members(archive)
            if sum(info.file_size for info in members.values()) > unpacked_bytes:
                raise _too_large(unpacked_bytes)
            document = _read(archive, members[SUBMISSION_FILE], MAX_RUN_JSON_BYTES)
            folder = into / hashlib.sha256(document).hexdigest()
            for name, info in members.items():
                most = MAX_RUN_JSON_BYTES if name.endswith(".json") else unpacked_bytes
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                _write(archive, info, folder / name, most)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise _damaged(error) from error
    for path in {folder, *(path.parent for path in folder.rglob("*"))}:
        sync_folder(path)
    return folder


def _check_directory(handle: BinaryIO) -> None:
    """Refuse an archive with a huge table of contents before a library builds it in memory."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - _END - 20))
    tail = handle.read()
    end = tail[-_END:]
    if len(end) < _END or not end.startswith(b"PK\x05\x06"):
        raise RefusalError(
            422,
            "archive-damaged",
            "the file is not a ZIP file, or it is cut off.",
            f"Send the folder that holds {SUBMISSION_FILE} as a ZIP file.",
        )
    entries, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if tail[:4] == b"PK\x06\x07" or entries > 2 * _MAX_FILES or directory > _MAX_DIRECTORY_BYTES:
        raise RefusalError(
            422,
            "archive-files",
            f"the archive lists {entries:,} files; a submission has at most {_MAX_FILES}.",
            "Send the files of one submission and nothing else.",
        )


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files by their names in the submission."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    tops = [info.filename for info in infos if info.filename.rpartition("/")[2] == SUBMISSION_FILE]
    if len(tops) != 1:
        what = "no" if not tops else f"{len(tops)} files"
        raise RefusalError(
            422,
            "archive-files",
            f"the archive holds {what} {SUBMISSION_FILE}.",
            "Send one submission, as `osbench submit RUNS --to FOLDER` writes it.",
        )
    prefix = tops[0].removesuffix(SUBMISSION_FILE)
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename.removeprefix(prefix)
        kind = stat.S_IFMT(info.external_attr >> 16)
        fits = info.filename.startswith(prefix) and SUBMITTED_FILE.fullmatch(name) and name not in members
        if not fits or kind not in (0, stat.S_IFREG) or info.compress_type not in _METHODS or info.flag_bits & 1:
            raise RefusalError(
                422,
                "archive-files",
                f"the archive holds '{printable(info.filename, 100)}', which is no file of a submission.",
                f"Send {SUBMISSION_FILE}, seed<k>/{RUN_FILE} and seed<k>/{PREDICTIONS_FILE}, each once; nothing else.",
            )
        members[name] = info
    return members


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(info) as source:
        data = source.read(most + 1)
    if len(data) > most:
        raise _too_large(most)
    return data


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, most: int) -> None:
    """A file that unpacks to more than it says is refused as soon as it does."""
    written, most = 0, min(most, info.file_size)
    with archive.open(info) as source, path.open("xb") as target:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > most:
                raise _too_large(most)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())


def _too_large(most: int) -> RefusalError:
    return RefusalError(
        413,
        "archive-too-large",
        f"the archive unpacks to more than {most:,} bytes.",
        "Send fewer seeds or rules, or ask the maintainers for a larger limit.",
    )


def _damaged(error: Exception) -> RefusalError:
    return RefusalError(
        422,
        "archive-damaged",
        f"the ZIP file cannot be unpacked ({printable(error, 100)}).",
        "Make it again, and send it.",
    )
