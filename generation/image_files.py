"""The one way to open a picture that somebody else made: six formats, a limit on pixels, every failure in one line.

Pillow opens forty formats, some of them through other programs, and raises whatever a decoder happens to raise.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from ..core.errors import DatasetError, OsbenchError
from ..core.foreign import check_regular
from ..core.text import printable

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
MAX_PIXELS = 200_000_000
"""Larger pictures are refused before they are decoded."""

MAX_FILE_BYTES = 1 << 30

_8_BIT = {"RGB", "RGBA", "L", "LA", "P", "PA", "1"}
_pillow_limit = threading.Lock()


def open_picture(data: Path | BinaryIO, formats: Sequence[str] = FORMATS) -> Image.Image:
    """``Image.open`` without Pillow's own limit on pixels and its warnings; the caller checks ``size`` first."""
    with _pillow_limit, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(data, formats=list(formats))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def open_image(
    path: Path, formats: Sequence[str] = FORMATS, max_pixels: int = MAX_PIXELS, remedy: str = ""
) -> Iterator[Image.Image]:
    """An image file, its header read; what goes wrong while the block decodes it is a DatasetError with a reason.

    Parameters
    ----------
    path : Path
        A regular file; a folder, a named pipe or a device is refused.
    formats : sequence of str
        Formats as Pillow names them.
    max_pixels : int
        Most pixels, width times height.
    remedy : str
        What to do about it, for the end of the message: ``" Remove it from the folder."``

    Yields
    ------
    PIL.Image.Image
        Lazy: nothing is decoded yet.
    """
    name = printable(path, 1000)
    if path.is_dir():
        raise DatasetError(f"{name}: is a folder; give image files, for example {name}/*.png.")
    if check_regular(path, DatasetError, MAX_FILE_BYTES) == 0:
        raise DatasetError(f"{name}: is empty (0 bytes).{remedy}")
    with opened_picture(path, name, formats, max_pixels, remedy) as picture:
        yield picture


@contextmanager
def opened_picture(
    data: Path | BinaryIO, name: str, formats: Sequence[str] = FORMATS, max_pixels: int = MAX_PIXELS, remedy: str = ""
) -> Iterator[Image.Image]:
    """As :func:`open_image`, of a file that was looked at already, or of an opened one called ``name`` in messages."""
    try:
        with open_picture(data, formats) as picture, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if picture.width * picture.height > max_pixels:
                raise DatasetError(
                    f"{name}: {picture.width}x{picture.height} is more than the {max_pixels // 10**6} megapixels that"
                    f" are read; cut the part that matters out of it.{remedy}"
                )
            yield picture
    except OsbenchError:
        raise
    except UnidentifiedImageError as error:
        raise DatasetError(
            f"{name}: is not a readable image ({', '.join(formats)}), or its beginning is damaged.{remedy}"
        ) from error
    except MemoryError as error:
        raise DatasetError(f"{name}: needs more memory than there is.{remedy}") from error
    except (
        Exception
    ) as error:  # decoders raise anything: OSError, SyntaxError, ValueError, struct.error, IndexError ...
        raise DatasetError(f"{name}: is not a complete image, {_reason(error)}.{remedy}") from error


def _reason(error: Exception) -> str:
    text = printable(getattr(error, "strerror", None) or error).strip(" .") or type(error).__name__
    return f"it is truncated ({text})" if "trunc" in text or isinstance(error, EOFError) else f"it is damaged ({text})"


def check_holds_crop(path: Path, picture: Image.Image, size: int) -> None:
    """DatasetError for a picture that is smaller than a crop of ``size`` pixels."""
    if min(picture.size) < size:
        raise DatasetError(
            f"{path}: {picture.width}x{picture.height} is smaller than the {size} px crop of the run; "
            "nothing is resampled."
        )


def check_8_bit_colour(path: Path | str, picture: Image.Image, remedy: str = "") -> None:
    """DatasetError unless the picture holds 8-bit RGB, grey or palette colours; CMYK and 16 bits would be changed."""
    allowed = {"RGB", "L"} if picture.format in ("JPEG", "MPO") else _8_BIT
    if picture.mode not in allowed:
        raise DatasetError(
            f"{printable(path, 1000)}: colour mode {picture.mode} is not 8-bit RGB or grey; convert it to RGB.{remedy}"
        )
