"""Bring your own images: a folder as a source. Pixels stay untouched, metadata goes.

A JPEG keeps its entropy-coded data; anything lossless (or WebP) is stored as PNG of the very same pixels.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..core.errors import DatasetError, GenerationError
from ..core.hashing import file_sha256
from .jpeg_segments import strip_jpeg_metadata
from .pixels import Box, EncodedFrame, decode_frame, encode_full, encode_window, jpeg_tables_sha256

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 200_000_000
"""Larger images are refused before they are decoded."""

_SUBSAMPLING = {((1, 1),) * 3: "4:4:4", ((2, 1), (1, 1), (1, 1)): "4:2:2", ((2, 2), (1, 1), (1, 1)): "4:2:0"}


@dataclass(frozen=True)
class FolderImage:
    """One image of a folder: uint8 (H, W, 3), and its stripped file if it is a JPEG."""

    pixels: np.ndarray
    jpeg: bytes | None
    subsampling: str | None

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    def encode(self, crop: Box, *, frame: str, subsampling: str) -> EncodedFrame:
        """The stored frame: the JPEG itself, else a PNG of the window around the crop (or of all, ``frame="full"``)."""
        if self.jpeg is not None:
            tables = jpeg_tables_sha256(self.jpeg)
            return EncodedFrame(self.jpeg, "jpeg", 0, 0, crop.x, crop.y, self.subsampling, tables)
        encode = encode_full if frame == "full" else encode_window
        return encode(self.pixels, crop, None, subsampling)


@functools.lru_cache(maxsize=4)
def list_images(folder: Path) -> tuple[Path, ...]:
    """All files below a folder except hidden ones, in the order of their relative paths. DatasetError if none."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder of images.")
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
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
    try:
        with Image.open(path, formats=FORMATS) as picture:
            _check_header(path, picture, crop_size)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"{path}: not a readable image ({', '.join(FORMATS)}). Remove it from the folder."
        ) from error


def _check_header(path: Path, picture: Image.Image, crop_size: int) -> None:
    width, height = picture.size
    if min(width, height) < crop_size:
        raise DatasetError(
            f"{path}: {width}x{height} is smaller than the {crop_size} px crop. Remove it from the folder."
        )
    if width * height > MAX_PIXELS:
        raise DatasetError(f"{path}: {width}x{height} is more than {MAX_PIXELS // 10**6} megapixels. Remove it.")
    if picture.mode not in {"RGB", "RGBA", "L", "P", "1"} or (
        picture.format == "JPEG" and picture.mode not in {"RGB", "L"}
    ):
        raise DatasetError(f"{path}: colour mode {picture.mode} is not 8-bit RGB or grey. Convert or remove it.")


def read_image(path: Path, crop_size: int) -> FolderImage:
    """Decode one file completely. DatasetError or GenerationError naming the file if it cannot be a benchmark image."""
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_header(path, picture, crop_size)
            kind, layers = picture.format, getattr(picture, "layer", [])
            pixels = _opaque_rgb(path, picture)
        image = FolderImage(pixels, None, None)
        if kind == "JPEG":
            stripped = strip_jpeg_metadata(data)
            sampling = tuple((int(layer[1]), int(layer[2])) for layer in layers)
            image = FolderImage(decode_frame(stripped), stripped, _SUBSAMPLING.get(sampling))
            if not np.array_equal(image.pixels, pixels):
                raise ValueError("removing the metadata would change its colours")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path}: not a complete image ({error}). Remove it from the folder.") from error
    if (pixels == pixels[:1, :1]).all():
        raise GenerationError(f"{path}: one constant colour. Remove it from the folder.")
    return image


def _opaque_rgb(path: Path, picture: Image.Image) -> np.ndarray:
    rgba = np.asarray(picture.convert("RGBA"))
    if (rgba[..., 3] != 255).any():
        raise DatasetError(f"{path}: has transparent pixels. Composite it on a background or remove it.")
    return np.ascontiguousarray(rgba[..., :3])
