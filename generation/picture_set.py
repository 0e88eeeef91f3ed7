"""The pictures that all sources of a suite show, in one Parquet file: pixels, identity, group and licence of each."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..core.errors import DatasetError
from ..core.foreign import TableBudget, check_regular, read_table
from ..core.text import printable
from .image_files import open_picture

ORIGINAL, RETAKEN = "original", "retaken"
SHOWN = (ORIGINAL, RETAKEN)
"""What a source without a network may show: the picture itself, or what a virtual camera makes of it."""

MOST_BYTES = 256_000_000
MOST_PICTURES = 100_000
MOST_SIDE = 4096
_FORMATS = ("PNG", "WEBP", "JPEG")

PICTURE_SCHEMA = pa.schema(
    {
        "content_id": pa.string(),
        "group": pa.string(),
        "part": pa.string(),
        "kind": pa.string(),
        "package": pa.string(),
        "file": pa.string(),
        "licence": pa.string(),
        "file_sha256": pa.string(),
        "left": pa.int32(),
        "top": pa.int32(),
        "side": pa.int32(),
        "picture": pa.binary(),
    }
)
"""``left``, ``top``, ``side``: the square of the file, in its decoded pixels; ``picture``: PNG, WebP or JPEG."""


@dataclass(frozen=True)
class PictureSet:
    """An opened file of pictures.

    Attributes
    ----------
    path : Path
        The file.
    content_ids, groups, parts : tuple of str
        Identity of each picture, what must not straddle splits with it, and the split that the suite proposes.
    encoded : tuple of bytes
        The pictures as PNG, WebP or JPEG.
    """

    path: Path
    content_ids: tuple[str, ...]
    groups: tuple[str, ...]
    parts: tuple[str, ...]
    encoded: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.content_ids)

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        """uint8 (len(rows), S, S, 3); DatasetError for a picture that cannot be decoded or sizes that differ."""
        pictures = [self._decode(row) for row in rows]
        if len({picture.shape for picture in pictures}) > 1:
            raise DatasetError(f"{self.path}: its pictures have different sizes.")
        return np.stack(pictures)

    def _decode(self, row: int) -> np.ndarray:
        try:
            with open_picture(io.BytesIO(self.encoded[row]), _FORMATS) as picture:
                if max(picture.size) > MOST_SIDE:
                    raise ValueError(f"{picture.size} is larger than {MOST_SIDE} px")
                return np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            raise DatasetError(
                f"{printable(self.path)}: picture {printable(self.content_ids[row], 60)} cannot be decoded"
                f" ({printable(error, 120)})."
            ) from error


def open_picture_set(path: Path) -> PictureSet:
    """Read a file of pictures; DatasetError if it is missing, damaged, too large, or names a picture twice."""
    check_regular(path, DatasetError, MOST_BYTES)
    return _open(path, path.stat().st_mtime_ns, path.stat().st_size)


@functools.lru_cache(maxsize=2)
def _open(path: Path, modified: int, size: int) -> PictureSet:
    del modified, size  # only a changed file is read again
    budget = TableBudget(MOST_PICTURES, MOST_BYTES)
    columns = ["content_id", "group", "part", "picture"]
    table = read_table(path, DatasetError, budget, columns, PICTURE_SCHEMA)
    values = {name: table.column(name).to_pylist() for name in columns}
    content_ids = values["content_id"]
    if any(None in column for column in values.values()) or len(set(content_ids)) < len(content_ids) or not content_ids:
        raise DatasetError(
            f"{printable(path)}: every picture needs a content_id of its own, a group, a part and pixels."
        )
    return PictureSet(path, tuple(content_ids), tuple(values["group"]), tuple(values["part"]), tuple(values["picture"]))
