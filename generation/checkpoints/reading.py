"""From a file on disk to its inert tree: which container it is, and one-line errors for whatever is wrong with it."""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np

from ...core.errors import CheckpointError
from ...core.foreign import check_regular, printable
from ...core.hashing import file_sha256
from .arrays import Array
from .inert import Budget
from .torch_storage import LEGACY_PREFIX, Storage, StoredTensor, read_legacy, read_pickle, read_zip

Container = Literal["safetensors", "zip", "legacy", "pickle"]

_MAX_BYTES = 32 << 30


def checkpoint_sha256(path: Path) -> str:
    """SHA-256 of a checkpoint, hexadecimal. CheckpointError if it cannot be read."""
    try:
        return file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{printable(path)}: cannot be read ({error.strerror or error}).") from error


def container_of(path: Path) -> Container:
    """The container by its first bytes.

    CheckpointError for a special file, one larger than any published checkpoint, a web page, an empty file or anything
    unknown.
    """
    name, size = printable(path), check_regular(path, CheckpointError, _MAX_BYTES)
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{name}: cannot be read ({error.strerror or error}).") from error
    if not head:
        raise CheckpointError(f"{name}: empty file.")
    # Before the others: the length that safetensors begin with may look like any of their marks.
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        return "safetensors"
    if head.lstrip().startswith(b"<"):
        raise CheckpointError(f"{name}: a web page, not a checkpoint (a quota or login page?); download it again.")
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{name}: a Git LFS pointer, not the file itself; download the real file.")
    if head.startswith(b"PK"):
        return "zip"
    if head.startswith(LEGACY_PREFIX):
        return "legacy"
    if head.startswith(b"\x80"):
        return "pickle"
    raise CheckpointError(f"{name}: neither a pickle, nor a torch zip, nor safetensors; not a checkpoint.")


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Whatever goes wrong inside becomes a CheckpointError of one line with the file and the cause."""
    name = printable(path)
    try:
        yield
    except CheckpointError:
        raise
    except (UnpicklingError, EOFError) as error:
        raise CheckpointError(f"{name}: not a sound checkpoint: {_plain(error)}.") from error
    except RecursionError as error:
        raise CheckpointError(f"{name}: not a sound checkpoint: nested too deeply.") from error
    except MemoryError as error:
        raise CheckpointError(f"{name}: not a sound checkpoint: it asks for more memory than there is.") from error
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{name}: damaged or truncated zip checkpoint ({_plain(error)}).") from error
    except OSError as error:
        raise CheckpointError(f"{name}: cannot be read ({_plain(error)}).") from error
    except Exception as error:
        # The machine meets arbitrary bytes: any exception of it (KeyError, IndexError, ...) means a damaged file.
        raise CheckpointError(f"{name}: damaged checkpoint ({type(error).__name__}: {_plain(error)}).") from error


def _plain(error: BaseException) -> str:
    return printable(error, 160).rstrip(".") or type(error).__name__


def read_tree(path: Path) -> tuple[Any, Budget]:
    """The inert tree of a pickle, legacy torch or zip checkpoint, and what is left of its budget for walking it.

    Nothing in the file is executed or imported. Arrays in the tree are :class:`Array` or :class:`StoredTensor`; they
    stay views of the memory-mapped file until :func:`materialise` copies them. CheckpointError on anything unsound.
    """
    container = container_of(path)
    budget = Budget(path.stat().st_size)
    with one_line_errors(path):
        if container == "zip":
            return read_zip(path, budget), budget
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        read = read_legacy if container == "legacy" else read_pickle
        return read(data, budget), budget


def materialise(named: dict[str, Any], budget_bytes: int) -> dict[str, np.ndarray]:
    """Copies of all arrays of a flat dictionary, native byte order.

    UnpicklingError on a value that is no array of real numbers, or if together they exceed ``budget_bytes`` (one
    storage referenced many times). Every storage is read once, however many tensors lie in it.
    """
    arrays: dict[str, Any] = dict.fromkeys(named)
    within: dict[Storage, list[str]] = {}
    for name, node in named.items():
        if isinstance(node, StoredTensor):
            budget_bytes -= node.nbytes
            if node.storage not in within:
                budget_bytes -= node.storage.nbytes
            within.setdefault(node.storage, []).append(name)
        elif isinstance(node, Array):
            budget_bytes -= node.value().nbytes
        elif not isinstance(node, np.generic):
            raise UnpicklingError(f"no array under the name {name[:80]!r}")
        if budget_bytes < 0:
            raise UnpicklingError("more tensor data than the file has bytes")
        if not isinstance(node, StoredTensor):
            arrays[name] = _native(name, node.value() if isinstance(node, Array) else np.asarray(node))
    for storage, names in within.items():
        flat = storage.array()
        for name in names:
            arrays[name] = _native(name, named[name].value(flat))
    return arrays


def _native(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise UnpicklingError(f"a tensor {name[:80]} of {array.dtype.name} numbers, which no generator has")
    return np.array(array, array.dtype.newbyteorder("="), order="C")
