"""Torch tensors without torch: storages nested in pickles, whole legacy files, and zip checkpoints.

Three containers hold the same pickled objects: a *legacy* file is five parts in a row (magic number, protocol, system
info, object, storage keys) followed by raw data; the persistence pickles nest one legacy file per tensor as a byte
string; a *zip* holds ``data.pkl`` and one stored member per storage. Every length and index is checked against the
bytes that are really there before an array is made.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .inert import Budget, Builder, InertClass
from .unpickler import InertUnpickler

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
LEGACY_PREFIX = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

_STORAGE_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "UntypedStorage": "|u1",
    "BoolStorage": "|b1",
    "ComplexFloatStorage": "<c8",
    "ComplexDoubleStorage": "<c16",
}


class StorageType:
    """The class of a storage: how wide its numbers are."""

    __slots__ = ("dtype", "itemsize", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.dtype = _STORAGE_DTYPES[name]
        self.itemsize = 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize


class Storage:
    """``count`` numbers of one type; ``read`` gives their bytes (little-endian) once they are needed."""

    __slots__ = ("count", "kind", "read")

    def __init__(self, kind: StorageType, count: int, read: Callable[[], bytes | memoryview] | None = None) -> None:
        self.kind = kind
        self.count = count
        self.read = read

    @property
    def nbytes(self) -> int:
        return self.count * self.kind.itemsize

    def array(self) -> np.ndarray:
        """All numbers, one-dimensional; bfloat16 widened to float32. UnpicklingError if bytes are missing."""
        if self.read is None:
            raise UnpicklingError("a storage whose data is missing")
        data = self.read()
        if len(data) != self.nbytes:
            raise UnpicklingError(f"a storage of {self.count} numbers with {len(data)} bytes of data")
        if self.kind.dtype == "bfloat16":
            return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(data, self.kind.dtype)


class StoredTensor:
    """A strided window of a storage, checked when made."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: object, offset: object, shape: object, strides: object) -> None:
        if not isinstance(storage, Storage) or type(offset) is not int:
            raise UnpicklingError("a tensor without a storage")
        self.storage = storage
        self.offset = offset
        self.shape = _whole_numbers(shape)
        self.strides = _whole_numbers(strides)
        _check_geometry(storage.count, offset, self.shape, self.strides)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=object)) * self.storage.kind.itemsize

    def value(self, flat: np.ndarray) -> np.ndarray:
        """A contiguous copy out of the storage's numbers, which are read once for all tensors in it."""
        if 0 in self.shape:
            return np.empty(self.shape, flat.dtype)
        steps = tuple(stride * flat.itemsize for stride in self.strides)
        return as_strided(flat[self.offset :], self.shape, steps, writeable=False).copy()


def _whole_numbers(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > 32 or any(type(n) is not int for n in values):
        raise UnpicklingError("a tensor whose shape or strides are no short list of integers")
    return tuple(values)


def _check_geometry(count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    """Every element inside the storage, no two at the same place."""
    if len(shape) != len(strides) or offset < 0 or offset > count:
        raise UnpicklingError("a tensor that begins outside its storage")
    if any(n < 0 or n > max(count, 2**20) for n in shape) or any(s < 0 for s in strides):
        raise UnpicklingError("a tensor with a negative or impossible shape or stride")
    if 0 in shape:
        return
    last = 0
    for stride, size in sorted((s, n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if stride <= last:
            raise UnpicklingError("a tensor whose strides visit an element twice")
        last += stride * (size - 1)
    if offset + last >= count:
        raise UnpicklingError("a tensor that reaches outside its storage")


def _storage_of(pid: object, attach: Callable[[StorageType, str, int], Storage], cache: dict[str, Storage]) -> Any:
    """The storage of a persistent id ``('storage', type, key, location, count[, None])``; the location is ignored."""
    if not isinstance(pid, tuple) or not 5 <= len(pid) <= 6 or pid[0] != "storage":
        raise UnpicklingError("a persistent id that is no storage")
    _, kind, key, _, count, *view = pid
    if not isinstance(kind, StorageType) or type(count) is not int or count < 0 or view not in ([], [None]):
        raise UnpicklingError("a storage with an unknown description")
    if not isinstance(key, str) or len(key) > 64:
        raise UnpicklingError("a storage without a key")
    if key not in cache:
        cache[key] = attach(kind, key, count)
    if cache[key].kind is not kind or cache[key].count != count:
        raise UnpicklingError("a storage described in two ways")
    return cache[key]


def _rebuild(machine: InertUnpickler, storage: object, offset: object, shape: object, strides: object, *_: Any) -> Any:
    return StoredTensor(storage, offset, shape, strides)


def _rebuild_parameter(machine: InertUnpickler, tensor: object, *_: Any) -> Any:
    return tensor


def _rebuild_from_type(machine: InertUnpickler, function: object, kind: object, args: object, *_: Any) -> Any:
    return machine.call(function, args)


def _load_from_bytes(machine: InertUnpickler, data: object) -> Storage:
    if not isinstance(data, bytes | memoryview):
        raise UnpicklingError("a nested storage that is not bytes")
    made = read_legacy(memoryview(data), machine.budget)
    if not isinstance(made, Storage):
        raise UnpicklingError("a nested file that holds something else than a storage")
    return made


def _table() -> dict[tuple[str, str], Any]:
    table: dict[tuple[str, str], Any] = {
        ("torch._utils", "_rebuild_tensor"): Builder("_rebuild_tensor", _rebuild),
        ("torch._utils", "_rebuild_tensor_v2"): Builder("_rebuild_tensor_v2", _rebuild),
        ("torch._utils", "_rebuild_parameter"): Builder("_rebuild_parameter", _rebuild_parameter),
        ("torch._utils", "_rebuild_parameter_with_state"): Builder("_rebuild_parameter", _rebuild_parameter),
        ("torch._tensor", "_rebuild_from_type_v2"): Builder("_rebuild_from_type_v2", _rebuild_from_type),
        ("torch.storage", "_load_from_bytes"): Builder("_load_from_bytes", _load_from_bytes),
    }
    for name in _STORAGE_DTYPES:
        kind = StorageType(name)
        for module in ("torch", "torch.cuda", "torch.storage"):
            table[module, name] = kind
    table["torch.storage", "_UntypedStorage"] = table["torch.storage", "UntypedStorage"]
    return table


TORCH_TABLE = _table()


def read_pickle(data: memoryview, budget: Budget) -> Any:
    """The inert tree of a plain pickle (torch storages nested in it included)."""
    return InertUnpickler(data, budget, torch_table=TORCH_TABLE).load()


def read_legacy(data: memoryview, budget: Budget) -> Any:
    """The inert tree of a legacy torch file."""
    position = 0
    storages: dict[str, Storage] = {}

    def part(persistent: Callable[[Any], Any] | None = None) -> Any:
        nonlocal position
        machine = InertUnpickler(data, budget, start=position, persistent=persistent, torch_table=TORCH_TABLE)
        value = machine.load()
        position = machine.reader.position
        return value

    def resolve(pid: Any) -> Any:
        if isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module":  # (tag, class, file, source text)
            return pid[1] if isinstance(pid[1], InertClass) else InertClass("?", "module")
        return _storage_of(pid, lambda kind, key, count: Storage(kind, count), storages)

    if part() != _MAGIC or part() != _PROTOCOL:
        raise UnpicklingError("no torch file of protocol 1001")
    system = part()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise UnpicklingError("a torch file of another byte order")
    tree = part(resolve)
    keys = part()
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or set(keys) != set(storages) or len(keys) != len(storages):
        raise UnpicklingError("a torch file whose list of storages does not fit its content")
    for key in keys:
        storage = storages[key]
        size = storage.nbytes
        stored = int.from_bytes(data[position : position + 8], "little")
        if stored != storage.count or position + 8 + size > len(data):
            raise UnpicklingError("it ends in the middle of a storage, or a storage declares another size")
        content = data[position + 8 : position + 8 + size]
        storage.read = lambda content=content: content
        position += 8 + size
    return tree


def read_zip(path: Path, budget: Budget) -> Any:
    """The inert tree of a zip checkpoint; its tensors read their member (CRC checked) when they are needed."""
    archive = zipfile.ZipFile(path)  # kept open by the storages that still have to read from it
    members = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1 or len(members) > 50_000:
        raise UnpicklingError("a zip archive that is no torch checkpoint (it needs one */data.pkl)")
    for info in members.values():
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise UnpicklingError("a zip member that is compressed; torch stores them plain")
    folder = pickles[0].removesuffix("data.pkl")
    order = members.get(f"{folder}byteorder")
    if order is not None and (order.file_size > 16 or archive.read(order) != b"little"):
        raise UnpicklingError("a torch file of another byte order")
    content = archive.read(members[pickles[0]])
    storages: dict[str, Storage] = {}

    def attach(kind: StorageType, key: str, count: int) -> Storage:
        info = members.get(f"{folder}data/{key}")
        if info is None or info.file_size != count * kind.itemsize:
            raise UnpicklingError(f"a storage of {count} numbers whose member is missing or of another size")
        return Storage(kind, count, lambda: archive.read(info))

    machine = InertUnpickler(
        memoryview(content),
        budget,
        persistent=lambda pid: _storage_of(pid, attach, storages),
        torch_table=TORCH_TABLE,
    )
    return machine.load()
