"""Pictures that exist already: a folder as a source, a published data set.

What becomes of them is a choice of :data:`..catalog.EXISTING`. ``stripped``: pixels stay untouched, metadata goes; a
JPEG keeps its entropy-coded data, anything lossless (or WebP) is stored as PNG of the very same pixels.
``as-published``: the file, byte for byte, where it is a JPEG or PNG. ``canonical``: the pixels are compressed and
cropped like those of an image that osbench makes, so that neither file format nor quality tells where they come from.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..core.errors import DatasetError, GenerationError
from ..core.folders import files_below
from ..core.foreign import printable
from ..core.hashing import file_sha256
from .image_files import check_8_bit_colour, open_image, opened_picture
from .jpeg_segments import strip_jpeg_metadata
from .pixels import (
    MAX_FRAME_PIXELS,
    Box,
    EncodedFrame,
    decode_frame,
    encode_full,
    encode_window,
    jpeg_tables_sha256,
)

_REMEDY = " Remove it from the folder."
_JPEG = b"\xff\xd8"
_SUBSAMPLING = {((1, 1),) * 3: "4:4:4", ((2, 1), (1, 1), (1, 1)): "4:2:2", ((2, 2), (1, 1), (1, 1)): "4:2:0"}


@dataclass(frozen=True)
class FolderImage:
    """One image: uint8 (H, W, 3), the file to store (None: encode the pixels), and the subsampling of a JPEG."""

    pixels: np.ndarray
    file: bytes | None
    subsampling: str | None

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    def encode(self, crop: Box, *, frame: str, subsampling: str) -> EncodedFrame:
        """The stored frame: the file itself, else a PNG of the window around the crop (or of all, ``frame="full"``)."""
        if self.file is not None and self.file[:2] == _JPEG:
            tables = jpeg_tables_sha256(self.file)
            return EncodedFrame(self.file, "jpeg", 0, 0, crop.x, crop.y, self.subsampling, tables)
        if self.file is not None:
            return EncodedFrame(self.file, "png", 0, 0, crop.x, crop.y, None, None)
        encode = encode_full if frame == "full" else encode_window
        return encode(self.pixels, crop, None, subsampling)


@functools.lru_cache(maxsize=4)
def list_images(folder: Path) -> tuple[Path, ...]:
    """All files below a folder except hidden ones, in the order of their relative paths. DatasetError if none."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder of images.")
    files = list(files_below(folder))
    if not files:
        raise DatasetError(f"{folder}: the folder holds no images.")
    return tuple(sorted(files, key=lambda path: path.relative_to(folder).as_posix()))


def folder_sha256(folder: Path, suffixes: Collection[str] | None = None) -> str:
    """Identity of a folder: SHA-256 over relative paths and file hashes (of files with these suffixes only)."""
    files = [path for path in list_images(folder) if suffixes is None or path.suffix in suffixes]
    lines = [f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_image(path: Path, crop_size: int) -> None:
    """Cheap check before any work: an image, of a known kind, large enough. DatasetError naming the file otherwise."""
    with _open(path, crop_size):
        pass


def smallest_picture(folder: Path) -> tuple[int, Path]:
    """The shorter side in pixels of the picture whose shorter side is the shortest, and the picture.

    The errors of :func:`list_images` and :func:`check_image`.
    """
    sides = []
    for path in list_images(folder):
        with _open(path, 1) as picture:
            sides.append((min(picture.size), path))
    return min(sides)


@contextmanager
def _open(path: Path, crop_size: int) -> Iterator[Image.Image]:
    with open_image(path, max_pixels=MAX_FRAME_PIXELS, remedy=_REMEDY) as picture:
        check_benchmark_image(picture, printable(path, 1000), crop_size, _REMEDY)
        yield picture


def check_benchmark_image(picture: Image.Image, name: str, crop_size: int, remedy: str = "") -> None:
    """DatasetError unless an opened picture holds 8-bit colours and the crop fits it."""
    if min(picture.size) < crop_size:
        raise DatasetError(f"{name}: {picture.width}x{picture.height} is smaller than the {crop_size} px crop.{remedy}")
    check_8_bit_colour(name, picture, remedy)


def read_image(path: Path, crop_size: int, existing: str) -> FolderImage:
    """Decode one file completely. DatasetError or GenerationError naming the file if it cannot be a benchmark image."""
    with _open(path, crop_size):
        pass
    return read_picture(path.read_bytes(), printable(path, 1000), crop_size, existing, _REMEDY)


def read_picture(data: bytes, name: str, crop_size: int, existing: str, remedy: str = "") -> FolderImage:
    """Decode a picture completely.

    Parameters
    ----------
    data : bytes
        A picture file.
    name : str
        What it is called in messages.
    crop_size : int
        Side of the crop in pixels.
    existing : str
        What is to become of it, see above.
    remedy : str
        What to do about it, for the end of messages.

    Returns
    -------
    FolderImage
        DatasetError or GenerationError if it cannot be a benchmark image.
    """
    with opened_picture(io.BytesIO(data), name, max_pixels=MAX_FRAME_PIXELS, remedy=remedy) as picture:
        check_benchmark_image(picture, name, crop_size, remedy)
        layers = getattr(picture, "layer", [])
        pixels = _opaque_rgb(name, picture)
        image = FolderImage(pixels, None, None)
        sampling = _SUBSAMPLING.get(tuple((int(layer[1]), int(layer[2])) for layer in layers))
        if existing == "as-published" and picture.format in ("JPEG", "MPO", "PNG"):
            image = FolderImage(decode_frame(data), data, sampling)
            if not np.array_equal(image.pixels, pixels):
                raise ValueError("two decoders read other colours in it")
        elif existing == "stripped" and picture.format in ("JPEG", "MPO"):
            stripped = strip_jpeg_metadata(data)
            image = FolderImage(decode_frame(stripped), stripped, sampling)
            if not np.array_equal(image.pixels, pixels):
                raise ValueError("removing the metadata would change its colours")
    if (pixels == pixels[:1, :1]).all():
        raise GenerationError(f"{name}: one constant colour.{remedy}")
    return image


def _opaque_rgb(name: str, picture: Image.Image) -> np.ndarray:
    if picture.mode in {"RGB", "L", "1"} and "transparency" not in picture.info:
        return np.asarray(picture.convert("RGB"))
    rgba = np.asarray(picture.convert("RGBA"))
    if (rgba[..., 3] != 255).any():
        raise DatasetError(f"{name}: has transparent pixels. Composite it on a background or remove it.")
    return np.ascontiguousarray(rgba[..., :3])
