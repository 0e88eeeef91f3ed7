"""How the stored file is built: markers and tables of a JPEG, chunks of a PNG; nothing of what it shows."""

from __future__ import annotations

import numpy as np

from ..probe import Batch, Gate, Probe, register_probe

_MOST_PARTS = 10_000
_START_OF_SCAN, _QUANTISATION, _HUFFMAN, _RESTART, _COMMENT = 0xDA, 0xDB, 0xC4, 0xDD, 0xFE
_FRAMES = (0xC0, 0xC1, 0xC2)
_APPLICATION = range(0xE0, 0xF0)


@register_probe("file-structure")
class FileStructure(Probe):
    """Traits of the program that wrote the file."""

    title = "structure of the file: JPEG markers and tables, PNG chunks"
    gate = Gate(above_chance=0.10)

    def features(self, batch: Batch) -> np.ndarray:
        return np.array([_structure(data) for data in batch.encoded], np.float32)


def _structure(data: bytes) -> list[float]:
    """18 numbers; zeros where a file ends too early or is of another kind."""
    if data[:2] == b"\xff\xd8":
        return [1.0, *_jpeg(data), *[0.0] * 6]
    if data[:4] == b"\x89PNG":
        return [0.0, *[0.0] * 11, *_png(data)]
    return [-1.0, *[0.0] * 17]


def _jpeg(data: bytes) -> list[float]:
    """Segments, application segments and their bytes, tables, frame type, components, sampling, header length."""
    tables: list[int] = []
    counts = {"segments": 0, "application": 0, "application bytes": 0, "huffman bytes": 0, "comments": 0, "restart": 0}
    frame, sampling = 0, 0
    at = 2
    while at + 4 <= len(data) and counts["segments"] < _MOST_PARTS:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        counts["segments"] += 1
        if marker in _APPLICATION:
            counts["application"] += 1
            counts["application bytes"] += len(body)
        elif marker == _QUANTISATION:
            tables += list(body)
        elif marker == _HUFFMAN:
            counts["huffman bytes"] += len(body)
        elif marker == _COMMENT:
            counts["comments"] += 1
        elif marker == _RESTART:
            counts["restart"] += 1
        elif marker in _FRAMES and len(body) > 7:
            frame, sampling = marker - _FRAMES[0] + 1, body[7]
        at += 2 + max(length, 2)
        if marker == _START_OF_SCAN:
            break
    mean, early = (float(np.mean(tables)), float(np.mean(tables[1:9]))) if len(tables) > 8 else (0.0, 0.0)
    return [*map(float, counts.values()), float(frame), float(sampling), mean, early, float(at)]


def _png(data: bytes) -> list[float]:
    """Chunks, data chunks, bytes outside them, bit depth, colour type, the two bytes that begin the zlib stream."""
    chunks = inside = outside = 0
    first = 0
    at = 8
    while at + 8 <= len(data) and chunks < _MOST_PARTS:
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        chunks += 1
        if kind == b"IDAT":
            first = first or int.from_bytes(data[at + 8 : at + 10])
            inside += 1
        else:
            outside += length
        at += 12 + length
    depth, colour = (data[24], data[25]) if len(data) > 25 else (0, 0)
    return [float(number) for number in (chunks, inside, outside, depth, colour, first)]
