"""A large PNG file in strips of rows, so that a picture of 200 megapixels needs no 800 MB.

Pillow decodes a file whole. The rows of a PNG are one zlib stream, each filtered by the row above it; so the stream is
inflated bit by bit, and a strip of filtered rows, with the last row that was decoded on top, is a small PNG of its own.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from ..core.errors import DatasetError
from .image_files import open_picture

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_STRIP_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 20
_KEPT = (b"PLTE", b"tRNS")
_MAX_KEPT_BYTES = 1024


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    def packed(self, height: int) -> bytes:
        return struct.pack(">IIBBBBB", self.width, height, self.depth, self.colour, 0, 0, 0)


def can_be_read_in_strips(path: Path) -> bool:
    """Whether it is a PNG of 8 bits without interlacing."""
    with path.open("rb") as file:
        header = _header(file)
    return header is not None and header.depth == 8 and header.colour in _CHANNELS and not header.interlaced


def png_strips(path: Path, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """The rows of a PNG from top to bottom, in strips of about 16 MB.

    Parameters
    ----------
    path : Path
        A file for which :func:`can_be_read_in_strips`.
    multiple : int
        Every strip but the last has a multiple of so many rows.

    Yields
    ------
    tuple
        The first row of the strip, and the strip as a decoded picture. DatasetError for a file that ends too early.
    """
    with path.open("rb") as file:
        header = _header(file)
        if header is None or header.colour not in _CHANNELS:
            raise DatasetError(f"{path}: is no PNG.")
        stride = header.width * _CHANNELS[header.colour]
        rows = max(1, _STRIP_BYTES // (stride + 1) // multiple) * multiple
        kept, data = _until_data(file)
        inflated = _Inflated(file, data)
        above = bytes(stride)
        for top in range(0, header.height, rows):
            count = min(rows, header.height - top)
            filtered = inflated.read(count * (stride + 1))
            if len(filtered) < count * (stride + 1):
                raise DatasetError(f"{path}: is not a complete image, it is truncated (row {top} of {header.height}).")
            body = zlib.compress(b"\0" + above + filtered, 0)
            text = b"".join([_SIGNATURE, _chunk(b"IHDR", header.packed(count + 1)), *kept, _chunk(b"IDAT", body)])
            with open_picture(io.BytesIO(text + _chunk(b"IEND", b"")), ("PNG",)) as picture:
                picture.load()
                strip = picture.crop((0, 1, header.width, count + 1))
                above = picture.crop((0, count, header.width, count + 1)).tobytes()
            yield top, strip


class _Inflated:
    """The inflated bytes of all IDAT chunks, as many at a time as are asked for."""

    def __init__(self, file: BinaryIO, left: int) -> None:
        self._file, self._left = file, left
        self._inflate = zlib.decompressobj()
        self._waiting = b""

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0 and not self._inflate.eof:
            given = self._waiting or self._next()
            if not given:
                break
            part = self._inflate.decompress(given, size)
            self._waiting = self._inflate.unconsumed_tail
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _next(self) -> bytes:
        while not self._left:
            self._file.read(4)  # the checksum; the stream has one of its own
            name, self._left = _chunk_head(self._file)
            if name != b"IDAT":
                return b""
        data = self._file.read(min(self._left, _CHUNK_BYTES))
        self._left = self._left - len(data) if data else 0
        return data


def _header(file: BinaryIO) -> _Header | None:
    start = file.read(33)
    if len(start) < 33 or start[:8] != _SIGNATURE or start[12:16] != b"IHDR":
        return None
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", start[16:29])
    return _Header(width, height, depth, colour, bool(interlace))


def _until_data(file: BinaryIO) -> tuple[list[bytes], int]:
    """The chunks that say what colours mean, and the length of the first chunk of data; the file stands at its data."""
    kept: list[bytes] = []
    while True:
        name, length = _chunk_head(file)
        if name == b"IDAT":
            return kept, length
        if name in (b"", b"IEND"):
            return kept, 0
        if name in _KEPT and length <= _MAX_KEPT_BYTES:
            kept.append(_chunk(name, file.read(length)))
            file.seek(4, io.SEEK_CUR)
        else:
            file.seek(length + 4, io.SEEK_CUR)


def _chunk_head(file: BinaryIO) -> tuple[bytes, int]:
    head = file.read(8)
    return (head[4:], int.from_bytes(head[:4], "big")) if len(head) == 8 else (b"", 0)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
