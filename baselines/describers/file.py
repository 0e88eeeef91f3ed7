"""Captions in a file that the user has: JSON Lines by the hash of the pixels, or CSV by the name of an image file.

``captions.jsonl``, an image being known by the SHA-256 of its pixels (the column ``pixel_sha256`` of a data set)::

    {"pixel_sha256": "9f86d0...", "caption": "a lighthouse on a cliff"}

``captions.csv``, for photographs, with paths relative to it::

    file,caption
    beach.png,a lighthouse on a cliff
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from ...benchmark.pictures_alike import read_picture
from ...core.errors import DatasetError
from ...core.foreign import read_foreign
from ...core.text import printable
from ...generation.pixels import pixel_sha256
from .describer import Describer

_MAX_BYTES = 1 << 30
_COLUMNS = ("file", "caption")


class CaptionFile(Describer):
    """The captions of a file. DatasetError names a line that is not of one of the forms above."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.captions = {} if path.suffix == ".csv" else read_captions(path)
        self._files = _read_table(path) if path.suffix == ".csv" else {}

    def of(self, images: np.ndarray) -> list[str]:
        if self._files:
            self._look_at_files(images.shape[1])
        digests = [pixel_sha256(image) for image in images]
        missing = [digest for digest in digests if digest not in self.captions]
        if missing:
            raise DatasetError(
                f"{self.path} has no caption for {len(missing)} of {len(digests)} images (the first: pixel_sha256 "
                f"{missing[0]}); captions belong to crops of one size."
            )
        return [self.captions[digest] for digest in digests]

    def _look_at_files(self, size: int) -> None:
        """An image file stands for its centre crop, which is what ``osbench attribute`` looks at."""
        for file, caption in self._files.items():
            self.captions[pixel_sha256(read_picture(self.path.parent / file, size).pixels)] = caption
        self._files = {}


def read_captions(path: Path) -> dict[str, str]:
    """``pixel_sha256`` -> caption. A last line that was cut off by a killed process is left out."""
    lines = _text(path).splitlines(keepends=True)
    captions: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            digest, caption = row["pixel_sha256"], row["caption"]
            if not isinstance(digest, str) or not isinstance(caption, str):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if number == len(lines) and not line.endswith("\n"):
                break
            raise DatasetError(
                f'{path}, line {number}: not of the form {{"pixel_sha256": "...", "caption": "..."}}.'
            ) from error
        captions[digest] = caption
    return captions


def _read_table(path: Path) -> dict[str, str]:
    try:
        reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
        if any(name not in (reader.fieldnames or ()) for name in _COLUMNS):
            raise DatasetError(f"{path}: the first line must be {','.join(_COLUMNS)}.")
        found: dict[str, str] = {}
        for row in reader:
            if not row["file"] or row["caption"] is None:
                raise DatasetError(f"{path}, line {reader.line_num}: not of the form {','.join(_COLUMNS)}.")
            found[row["file"]] = row["caption"]
    except csv.Error as error:
        raise DatasetError(f"{path}: not a CSV file ({printable(error)}).") from error
    return found


def _text(path: Path) -> str:
    try:
        return read_foreign(path, DatasetError, _MAX_BYTES).decode("utf-8")
    except (DatasetError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as captions ({printable(error).rstrip('.')}).") from error
