"""Reads TensorFlow checkpoints ("tensor bundles", as every TensorFlow since 1.0 writes them) without TensorFlow.

``NAME.index`` is a sorted string table: blocks of (key, value) entries with shared key prefixes, found through an index
block, which is found through the footer. Its values are protocol buffers that say where in ``NAME.data-i-of-n`` a
tensor lies. Only what checkpoints contain is understood; nothing is executed. Every read is checked against the
file's bounds, and every tensor against the checksum that was stored with it.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import CheckpointError

_MAGIC, _FOOTER = 0xDB4775248B80FB57, 48
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 9: "<i8", 10: "|b1", 19: "<f2"}


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor lies: ``size`` bytes from ``offset`` of data file ``shard``."""

    dtype: np.dtype
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int


class TensorBundle:
    """``TensorBundle(Path("model.ckpt"))`` for model.ckpt.index and model.ckpt.data-00000-of-00001.

    CheckpointError if the index is missing, damaged, or of another kind.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        path = prefix.with_name(prefix.name + ".index")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be read ({error.strerror}); give the checkpoint's prefix."
            ) from error
        try:
            entries = dict(_table(data))
            header = _message(entries.pop(b""))
            self.shards = _number(header, 1, 1)
            self.entries = {key.decode(): _entry(_message(value)) for key, value in entries.items()}
        except (ValueError, KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path}: no TensorFlow checkpoint, or damaged ({error}).") from error

    def __getitem__(self, name: str) -> np.ndarray:
        """The tensor; CheckpointError if there is none of that name, or its bytes are missing or damaged."""
        if name not in self.entries:
            raise CheckpointError(f"{self.prefix}: has no tensor '{name}'.")
        entry = self.entries[name]
        path = self.prefix.with_name(f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}")
        try:
            with path.open("rb") as handle:
                complete = entry.offset + entry.size <= os.fstat(handle.fileno()).st_size
                if not complete or entry.size != entry.dtype.itemsize * math.prod(entry.shape):
                    raise CheckpointError(f"{path}: tensor '{name}' is not complete.")
                handle.seek(entry.offset)
                data = handle.read(entry.size)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror}).") from error
        if _masked(crc32c(data)) != entry.crc32c:
            raise CheckpointError(f"{path}: tensor '{name}' is damaged (checksum).")
        return np.frombuffer(bytearray(data), entry.dtype).reshape(entry.shape)


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All (key, value) of a sorted string table."""
    if len(data) < _FOOTER or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise ValueError("no table footer")
    footer = data[-_FOOTER:]
    _, at = _handle(footer, 0)
    (offset, size), _ = _handle(footer, at)
    for _, value in _block(data, offset, size):
        (offset, size), _ = _handle(value, 0)
        yield from _block(data, offset, size)


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block = data[offset : offset + size]
    if len(block) != size or size < 4 or data[offset + size] != 0:
        raise ValueError("a block is cut off or compressed")
    restarts = struct.unpack("<I", block[-4:])[0]
    end, at, key = size - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        if at + own + length > end or shared > len(key):
            raise ValueError("an entry is cut off")
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")


def _message(data: bytes | int) -> dict[int, list]:
    """The fields of a protocol buffer: numbers for varint and fixed types, bytes for the rest."""
    if isinstance(data, int):
        raise ValueError("a number where a message should be")
    fields: dict[int, list] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            length, at = _varint(data, at)
            value = data[at : at + length]
            if len(value) != length:
                raise ValueError("a field is cut off")
            at += length
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            value = int.from_bytes(data[at : at + width], "little")
            at += width
        else:
            raise ValueError(f"field type {kind}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: dict[int, list], number: int, default: int = 0) -> int:
    value = fields.get(number, [default])[0]
    if not isinstance(value, int):
        raise ValueError("text where a number should be")
    return value


def _entry(fields: dict[int, list]) -> TensorEntry:
    code = _number(fields, 1)
    if code not in _DTYPES or 7 in fields:
        raise ValueError(f"a tensor of type {code}, or a sliced one")
    dims = _message(fields[2][0]).get(2, []) if 2 in fields else []
    shape = tuple(_number(_message(dim), 1) for dim in dims)
    shard, offset, size, crc = (_number(fields, number) for number in (3, 4, 5, 6))
    return TensorEntry(np.dtype(_DTYPES[code]), shape, shard, offset, size, crc)


def _crc_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_CRC = [int(value) for value in _crc_table()]


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli). Plain Python: slow, but only a conversion needs it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
