"""Writes TensorFlow checkpoints by the format's description, for tests of the reader."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from osbench.baselines.tf_checkpoint import crc32c

_CODES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "float16": 19}


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def masked(data: bytes) -> int:
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def block(entries: list[tuple[bytes, bytes]], restart_every: int = 16) -> bytes:
    out, previous, restarts = b"", b"", []
    for i, (key, value) in enumerate(entries):
        shared = 0
        if i % restart_every == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(previous)) and key[shared] == previous[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        previous = key
    return out + b"".join(struct.pack("<I", at) for at in restarts) + struct.pack("<I", len(restarts))


def write_bundle(prefix: Path, tensors: dict[str, np.ndarray], *, entries_per_block: int = 7) -> None:
    """``prefix``.index and ``prefix``.data-00000-of-00001."""
    data, entries = b"", [(b"", field(1, 1) + field(3, field(1, 1)))]
    for name, tensor in sorted(tensors.items()):
        raw = np.ascontiguousarray(tensor).tobytes()
        shape = b"".join(field(2, field(1, n)) for n in tensor.shape)
        entry = field(1, _CODES[tensor.dtype.name]) + field(2, shape)
        entry += (field(4, len(data)) if data else b"") + field(5, len(raw))
        entry += varint(6 << 3 | 5) + struct.pack("<I", masked(raw))
        entries.append((name.encode(), entry))
        data += raw
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)

    file, handles = b"", []

    def add(contents: bytes) -> bytes:
        nonlocal file
        handle = varint(len(file)) + varint(len(contents))
        file += contents + b"\0" + struct.pack("<I", masked(contents + b"\0"))
        return handle

    for start in range(0, len(entries), entries_per_block):
        some = entries[start : start + entries_per_block]
        handles.append((some[-1][0] + b"\xff", add(block(some))))
    footer = add(block([])) + add(block(handles, restart_every=1))
    file += footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(file)
