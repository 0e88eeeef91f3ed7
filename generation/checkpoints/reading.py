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
from ...core.hashing import file_sha256
from .arrays import Array
from .inert import Budget
from .torch_storage import LEGACY_PREFIX, StoredTensor, read_legacy, read_pickle, read_zip

Container = Literal["safetensors", "zip", "legacy", "pickle"]

_MAX_BYTES = 32 << 30


def checkpoint_sha256(path: Path) -> str:
    """SHA-256 of a checkpoint, hexadecimal. CheckpointError if it cannot be read."""
    try:
        return file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}).") from error


def container_of(path: Path) -> Container:
    """The container by its first bytes; CheckpointError for a web page, an empty file or anything unknown."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if size > _MAX_BYTES:
        raise CheckpointError(f"{path}: {size} bytes; no published checkpoint is that large.")
    if not head:
        raise CheckpointError(f"{path}: empty file.")
    # Before the others: the length that safetensors begin with may look like any of their marks.
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        return "safetensors"
    if head.lstrip().startswith(b"<"):
        raise CheckpointError(f"{path}: a web page, not a checkpoint (a quota or login page?); download it again.")
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path}: a Git LFS pointer, not the file itself; download the real file.")
    if head.startswith(b"PK"):
        return "zip"
    if head.startswith(LEGACY_PREFIX):
        return "legacy"
    if head.startswith(b"\x80"):
        return "pickle"
    raise CheckpointError(f"{path}: neither a pickle, nor a torch zip, nor safetensors; not a checkpoint.")


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Whatever goes wrong inside becomes a CheckpointError of one line with the file and the cause."""
    try:
        yield
    except CheckpointError:
        raise
    except (UnpicklingError, EOFError) as error:
        raise CheckpointError(f"{path}: not a sound checkpoint: {_plain(error)}.") from error
    except RecursionError as error:
        raise CheckpointError(f"{path}: not a sound checkpoint: nested too deeply.") from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: not a sound checkpoint: it asks for more memory than there is.") from error
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path}: damaged or truncated zip checkpoint ({_plain(error)}).") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({_plain(error)}).") from error
    except Exception as error:
        # The machine meets arbitrary bytes: any exception of it (KeyError, IndexError, ...) means a damaged file.
        raise CheckpointError(f"{path}: damaged checkpoint ({type(error).__name__}: {_plain(error)}).") from error


def _plain(error: BaseException) -> str:
    text = "".join(c if c.isprintable() else "?" for c in str(error)[:160])
    return text.rstrip(".") or type(error).__name__


def read_tree(path: Path) -> Any:
    """The inert tree of a pickle, legacy torch or zip checkpoint.

    Nothing in the file is executed or imported. Arrays in the tree are :class:`Array` or :class:`StoredTensor`; they
    stay views of the memory-mapped file until :func:`materialise` copies them. CheckpointError on anything unsound.
    """
    container = container_of(path)
    budget = Budget(path.stat().st_size)
    with one_line_errors(path):
        if container == "zip":
            return read_zip(path, budget)
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return read_legacy(data, budget) if container == "legacy" else read_pickle(data, budget)


def materialise(named: dict[str, Any], budget_bytes: int) -> dict[str, np.ndarray]:
    """Copies of all arrays of a flat dictionary, native byte order.

    UnpicklingError on a value that is no array, or if together they exceed ``budget_bytes`` (one storage referenced
    many times).
    """
    arrays: dict[str, np.ndarray] = {}
    for name, node in named.items():
        if isinstance(node, StoredTensor):
            budget_bytes -= node.nbytes
        elif isinstance(node, Array):
            budget_bytes -= node.value().nbytes
        elif not isinstance(node, np.generic):
            raise UnpicklingError(f"no array under the name {name[:80]!r}")
        if budget_bytes < 0:
            raise UnpicklingError("more tensor data than the file has bytes")
        array = node.value() if isinstance(node, Array | StoredTensor) else np.asarray(node)
        arrays[name] = np.array(array, array.dtype.newbyteorder("="), order="C")
    return arrays
