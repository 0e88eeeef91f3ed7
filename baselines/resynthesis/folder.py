"""Resyntheses that were made elsewhere, as image files in a folder.

``resyntheses.csv`` in the folder says what is what, one line a file::

    pixel_sha256,source,file
    9f86d0...,midjourney,midjourney/0001.png

``pixel_sha256`` is that of the image that was shown again, as in the data set's column; ``source`` is a seen generator.
Several lines of one image and source are several draws, as many for every one.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...core.errors import DatasetError
from ...core.foreign import read_foreign
from ...core.text import printable
from ...generation.image_files import check_8_bit_colour, open_image
from ...generation.pixels import pixel_sha256
from .way import Comparison, Shown, Way

INDEX = "resyntheses.csv"
COLUMNS = ("pixel_sha256", "source", "file")
_MAX_INDEX_BYTES = 256 << 20


class Folder(Way):
    """Resyntheses in a folder; the centre of a larger one is taken, nothing is resampled.

    Parameters
    ----------
    folder : Path
        Where :data:`INDEX` lies. DatasetError if it is not of the form above.
    class_names : sequence of str
        The seen generators. DatasetError if one has no resynthesis.
    comparison : Comparison
        By what pictures are compared.
    """

    name = "folder"

    def __init__(self, folder: Path, class_names: Sequence[str], comparison: Comparison) -> None:
        super().__init__(class_names, range(len(class_names)), comparison)
        self.folder = folder
        data = read_foreign(folder / INDEX, DatasetError, _MAX_INDEX_BYTES)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.files = _read_index(folder / INDEX, data)
        absent = [name for name in class_names if all(source != name for _, source in self.files)]
        if absent:
            raise DatasetError(f"{folder / INDEX} has no resynthesis by {', '.join(absent)}.")
        self.draws = len(next(iter(self.files.values())))
        odd = [key for key, files in self.files.items() if len(files) != self.draws]
        if odd:
            digest, source = odd[0]
            raise DatasetError(
                f"{folder / INDEX}: {source} made {len(self.files[odd[0]])} resyntheses of image {printable(digest)}, "
                f"but {self.draws} of the first one; give as many for every image and source."
            )

    def show(self, number: int, images: np.ndarray, texts: Sequence[str]) -> Shown:
        source, size = self.sources[number], images.shape[1]
        found = []
        for digest in map(pixel_sha256, images):
            files = self.files.get((digest, source))
            if files is None:
                raise DatasetError(
                    f"{self.folder / INDEX} has no resynthesis by {source} of the image with pixel_sha256 {digest}."
                )
            found.append([self._read(file, size) for file in files])
        shape = (len(images), self.draws, size, size, 3)
        return Shown(np.array(found, np.uint8).reshape(shape))

    def _read(self, file: str, size: int) -> np.ndarray:
        path = self.folder / file
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise DatasetError(f"{self.folder / INDEX}: {printable(file)} leads out of the folder.")
        with open_image(path) as picture:
            if min(picture.size) < size:
                raise DatasetError(
                    f"{path}: {picture.width}x{picture.height} is smaller than the {size} px crops of this run; "
                    "nothing is resampled."
                )
            check_8_bit_colour(path, picture)
            left, top = (picture.width - size) // 2, (picture.height - size) // 2
            return np.asarray(picture.crop((left, top, left + size, top + size)).convert("RGB"))


def _read_index(path: Path, data: bytes) -> dict[tuple[str, str], list[str]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise DatasetError(f"{path}: no column {', '.join(missing)}; the first line must be {','.join(COLUMNS)}.")
        files: dict[tuple[str, str], list[str]] = {}
        for row in reader:
            digest, source, file = (row[name] for name in COLUMNS)
            if not (digest and source and file):
                raise DatasetError(f"{path}, line {reader.line_num}: an empty cell.")
            files.setdefault((digest, source), []).append(file)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: not a CSV file in UTF-8 ({printable(error)}).") from error
    if not files:
        raise DatasetError(f"{path}: holds no resynthesis.")
    return files
