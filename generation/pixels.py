"""From a native image to the stored frame, and from the stored frame back to the benchmark crop.

Paper 1 compresses the whole image and then crops. JPEG is local: a decoded pixel depends on its own MCU
(minimum coded unit) and, through the decoder's triangle-filter chroma upsampling, on the chroma samples next
to it. Compressing only the MCU-aligned window around the crop plus one MCU of margin therefore gives the
same crop pixels to the bit. ``tests/generation/test_pixels.py`` proves it against the literal way.

Pillow is the only encoder (another encoder gives other pixels); simplejpeg decodes, to the same bits as Pillow.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import hashlib
import io
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import simplejpeg
from PIL import Image

from ..core.errors import DatasetError, OsbenchError, UsageError
from ..core.text import printable
from .image_files import open_picture

JPEG_QUALITIES: tuple[int | None, ...] = (75, 80, 85, 90, 95, None)
"""Paper 1, section 5.1: the five JPEG qualities, and None for no compression (stored as PNG)."""

MCU_SIZE = {"4:2:0": (16, 16), "4:2:2": (16, 8), "4:4:4": (8, 8)}
"""Width and height in pixels of one minimum coded unit."""

ORDERS = ("compress-then-crop", "crop-then-compress")
FRAMES = ("window", "full")
PNG_LEVEL = 6
"""One zlib level for all PNG frames, so that their size says nothing about their source."""

MAX_FRAME_PIXELS = 100_000_000
"""Larger stored frames are refused before they are decoded."""

_MAX_SCANS = 200
_LARGE_PIXELS = 16_000_000
_one_large_frame = threading.Lock()
"""Many threads decode at once; frames of a hundred megabytes and more take turns."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class EncodedFrame:
    """Stored bytes of one image and where they lie.

    bytes: the JPEG or PNG file. format: ``"jpeg"`` or ``"png"``. frame_x, frame_y: corner of the frame in the
    native image. crop_x, crop_y: corner of the benchmark crop in the frame. subsampling, tables_sha256: of a JPEG,
    None for PNG.
    """

    bytes: builtins.bytes
    format: str
    frame_x: int
    frame_y: int
    crop_x: int
    crop_y: int
    subsampling: str | None
    tables_sha256: str | None


def bytes_sha256(data: bytes) -> str:
    """SHA-256 of stored bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def pixel_sha256(pixels: np.ndarray) -> str:
    """SHA-256 of a uint8 (H, W, 3) array in row-major order, hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def jpeg_tables_sha256(data: bytes) -> str:
    """SHA-256 over the quantisation tables of a JPEG, in table order: which encoder and quality made it."""
    with Image.open(io.BytesIO(data)) as image:
        tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]
    return hashlib.sha256(repr([(k, list(map(int, tables[k]))) for k in sorted(tables)]).encode()).hexdigest()


@functools.lru_cache
def _encoder_tables_sha256(quality: int) -> str:
    """The encoder's tables follow from the quality alone: no need to parse every file that it wrote."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    return jpeg_tables_sha256(buffer.getvalue())


def window_box(width: int, height: int, crop: Box, subsampling: str = "4:2:0") -> Box:
    """The MCU-aligned window of a width x height image: the MCUs that the crop touches and one MCU around them."""
    left, right = _aligned_span(crop.x, crop.width, width, MCU_SIZE[subsampling][0])
    top, bottom = _aligned_span(crop.y, crop.height, height, MCU_SIZE[subsampling][1])
    return Box(left, top, right - left, bottom - top)


def _aligned_span(start: int, length: int, limit: int, mcu: int) -> tuple[int, int]:
    first = max(start // mcu - 1, 0) * mcu
    # At the far border the window ends with the image, so that both are padded to whole MCUs from the same pixels.
    last = min((-(-(start + length) // mcu) + 1) * mcu, limit)
    return first, last


def encode_window(image: np.ndarray, crop: Box, quality: int | None, subsampling: str = "4:2:0") -> EncodedFrame:
    """Compress the window around ``crop`` of a uint8 (H, W, 3) image; quality None stores the window as PNG.

    The decoded crop equals, bit for bit, the crop of the compressed whole image.
    UsageError if the crop leaves the image or the subsampling is unknown.
    """
    _check(image, crop, subsampling)
    window = window_box(image.shape[1], image.shape[0], crop, subsampling)
    pixels = image[window.y : window.y + window.height, window.x : window.x + window.width]
    frame = encode_full(pixels, replace(crop, x=crop.x - window.x, y=crop.y - window.y), quality, subsampling)
    return replace(frame, frame_x=window.x, frame_y=window.y)


def encode_full(image: np.ndarray, crop: Box, quality: int | None, subsampling: str = "4:2:0") -> EncodedFrame:
    """Compress the whole uint8 (H, W, 3) image; the crop is only recorded. Errors as :func:`encode_window`."""
    _check(image, crop, subsampling)
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    if quality is None:
        picture.save(buffer, "PNG", compress_level=PNG_LEVEL)
        return EncodedFrame(buffer.getvalue(), "png", 0, 0, crop.x, crop.y, None, None)
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    tables = _encoder_tables_sha256(quality)
    return EncodedFrame(buffer.getvalue(), "jpeg", 0, 0, crop.x, crop.y, subsampling, tables)


def encode_frame(
    image: np.ndarray, crop: Box, quality: int | None, *, order: str, frame: str, subsampling: str
) -> EncodedFrame:
    """Encode as a recipe says: ``order`` of :data:`ORDERS`, ``frame`` of :data:`FRAMES`."""
    if order == "crop-then-compress":
        _check(image, crop, subsampling)
        pixels = image[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
        cropped = encode_full(pixels, replace(crop, x=0, y=0), quality, subsampling)
        return replace(cropped, frame_x=crop.x, frame_y=crop.y)
    encode = encode_full if frame == "full" else encode_window
    return encode(image, crop, quality, subsampling)


def _check(image: np.ndarray, crop: Box, subsampling: str) -> None:
    if subsampling not in MCU_SIZE:
        raise UsageError(f"unknown JPEG subsampling '{subsampling}'. Known: {', '.join(MCU_SIZE)}.")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(f"an image must be uint8 (H, W, 3), not {image.dtype} {image.shape}.")
    height, width = image.shape[:2]
    inside = crop.x >= 0 and crop.y >= 0 and crop.x + crop.width <= width and crop.y + crop.height <= height
    if not inside or crop.width < 1 or crop.height < 1:
        raise UsageError(
            f"a crop of {crop.width}x{crop.height} at ({crop.x}, {crop.y}) does not fit a {width}x{height} image."
        )


def frame_size(data: bytes) -> tuple[int, int]:
    """Height and width in pixels that the header of stored bytes states, checked before anything is decoded.

    DatasetError if they are no JPEG or PNG, if a frame has more than :data:`MAX_FRAME_PIXELS` pixels, or if a JPEG has
    so many scans that decoding it would not end.
    """
    with _decoder_errors():
        if data[:2] == b"\xff\xd8":
            height, width = map(int, simplejpeg.decode_jpeg_header(data)[:2])
            scans = data.count(b"\xff\xda")
            if scans > _MAX_SCANS:
                raise ValueError(f"{scans} scans")
        elif data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
            width, height = struct.unpack(">II", data[16:24])
        else:
            raise ValueError("neither JPEG nor PNG")
        if height * width > MAX_FRAME_PIXELS:
            raise ValueError(f"{width}x{height} is more than {MAX_FRAME_PIXELS // 10**6} megapixels")
    return height, width


def decode_frame(data: bytes) -> np.ndarray:
    """Stored bytes to uint8 (H, W, 3). DatasetError if they are no complete JPEG or PNG, or as :func:`frame_size`."""
    height, width = frame_size(data)
    return _decode(data, Box(0, 0, width, height), height, width)


def _decode(data: bytes, part: Box, height: int, width: int) -> np.ndarray:
    """A part of the frame; of a PNG nothing else is ever turned into an array."""
    with _one_large_frame if height * width > _LARGE_PIXELS else contextlib.nullcontext(), _decoder_errors():
        if data[:2] == b"\xff\xd8":
            frame = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False)
            return frame[part.y : part.y + part.height, part.x : part.x + part.width]
        with open_picture(io.BytesIO(data), ("PNG",)) as picture:
            box = (part.x, part.y, part.x + part.width, part.y + part.height)
            shown = picture if (part.height, part.width) == (height, width) else picture.crop(box)
            return np.asarray(shown if shown.mode == "RGB" else shown.convert("RGB"))


@contextlib.contextmanager
def _decoder_errors() -> Iterator[None]:
    try:
        yield
    except OsbenchError:
        raise
    except Exception as error:  # decoders raise anything, MemoryError among it
        raise DatasetError(
            f"stored image bytes cannot be decoded ({printable(error)}). Run 'osbench verify'."
        ) from error


def decode_crop(data: bytes, crop_x: int, crop_y: int, size: int) -> np.ndarray:
    """The benchmark crop, uint8 (size, size, 3), of stored bytes; DatasetError if it is not inside the frame."""
    height, width = frame_size(data)
    if min(crop_x, crop_y) < 0 or size < 1 or crop_x + size > width or crop_y + size > height:
        raise DatasetError(f"a crop of {size} px at ({crop_x}, {crop_y}) leaves the stored {width}x{height} frame.")
    # A copy, so that a crop of 48 px does not keep its frame in memory.
    return _decode(data, Box(crop_x, crop_y, size, size), height, width).copy()
