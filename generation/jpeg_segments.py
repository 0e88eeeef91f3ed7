"""Remove metadata from a JPEG file without touching its entropy-coded data.

EXIF, ICC, XMP, comments and thumbnails say which program wrote a file, so they must not reach a benchmark. What
a decoder needs to read the colours (JFIF or Adobe marker) is replaced by a constant form with the same meaning.
"""

from __future__ import annotations

import struct

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP14, _COM = 0xE0, 0xEE, 0xFE
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def strip_jpeg_metadata(data: bytes) -> bytes:
    """The same picture, bit for bit when decoded, without APPn and COM segments or anything after the end.

    ValueError if the file is not a complete JPEG.
    """
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG start marker")
    kept: list[bytes] = []
    jfif = False
    adobe_transform: int | None = None
    position = 2
    while True:
        marker, position = _next_marker(data, position)
        if marker == _EOI:
            break
        if marker in _STANDALONE:
            kept.append(bytes((0xFF, marker)))
            continue
        payload, position = _segment(data, position)
        if marker == _SOS:
            end = _scan_end(data, position)
            kept.append(_wrap(marker, payload) + data[position:end])
            position = end
        elif _APP0 <= marker <= 0xEF or marker == _COM:
            jfif = jfif or (marker == _APP0 and payload[:5] == b"JFIF\0" and len(payload) >= 14)
            if marker == _APP14 and payload[:5] == b"Adobe" and len(payload) >= 12:
                adobe_transform = payload[11]
        else:
            kept.append(_wrap(marker, payload))
    return b"".join((b"\xff\xd8", _colour_marker(jfif, adobe_transform), *kept, b"\xff\xd9"))


def _colour_marker(jfif: bool, adobe_transform: int | None) -> bytes:
    # The order of libjpeg: JFIF decides, then Adobe, and without either the component ids decide.
    if jfif:
        return _JFIF
    if adobe_transform is not None:
        return _wrap(_APP14, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe_transform))
    return b""


def _wrap(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _next_marker(data: bytes, position: int) -> tuple[int, int]:
    if position >= len(data) or data[position] != 0xFF:
        raise ValueError("truncated, or no marker where one must be")
    while position < len(data) and data[position] == 0xFF:
        position += 1
    if position >= len(data):
        raise ValueError("truncated")
    return data[position], position + 1


def _segment(data: bytes, position: int) -> tuple[bytes, int]:
    if position + 2 > len(data):
        raise ValueError("truncated")
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2 or position + length > len(data):
        raise ValueError("truncated")
    return data[position + 2 : position + length], position + length


def _scan_end(data: bytes, position: int) -> int:
    """Where the entropy-coded data ends: at the first FF that is neither stuffed nor a restart marker."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise ValueError("truncated")
        follower = data[position + 1]
        if follower == 0xFF:
            position += 1
        elif follower == 0 or 0xD0 <= follower <= 0xD7:
            position += 2
        else:
            return position
