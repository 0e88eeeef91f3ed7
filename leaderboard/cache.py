"""Numbers of entries that were computed before, by content: the same files and the same code give the same numbers.

::

    <cache folder>/boards/<sha256>.json     the entries of one fit (one for each rejection rule), and their replicates

The name is the hash of all that goes in: the runs' files, the manifest, the replicates asked for, the code that counts.
A file that cannot be read is computed again. Nothing but this module writes there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..benchmark.metrics.outcome import FloatArray
from ..benchmark.metrics.paired import Side
from ..benchmark.robustness.surface import LAUNDERED_FILE
from ..benchmark.run_info import RUN_FILE
from ..benchmark.runs import PREDICTIONS_FILE, Run
from ..core.documents import from_json, to_json
from ..core.errors import OsbenchError, RunError
from ..core.foreign import check_regular, read_json
from ..core.hashing import file_sha256
from ..core.publish import write_atomically
from ..core.user_folders import cache_folder
from .entry import Entry, Sides

_MAX_FILE_BYTES = 1 << 28
_MAX_JSON_BYTES = 1 << 28

#: What may be kept; the files that were used longest ago go first.
_MAX_CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class _KeptSide:
    """A side: the bytes of float64 arrays in base 64."""

    each: str
    values: str

    @classmethod
    def of(cls, side: Side) -> _KeptSide:
        return cls(_text(side.each), _text(side.values))

    def side(self) -> Side:
        return Side(_array(self.each), _array(self.values))


@dataclass(frozen=True)
class _Kept:
    entry: Entry
    primary: _KeptSide
    laundering: _KeptSide | None


@dataclass(frozen=True)
class _File:
    entries: tuple[_Kept, ...]


def content_key(runs: Sequence[Run], manifest_id: str, replicates: int, rules: Sequence[str]) -> str | None:
    """The name of what is computed from some runs; None if a file is too large, or not regular."""
    parts = [_code(), manifest_id, str(replicates), ",".join(rules)]
    try:
        for run in runs:
            for name in (RUN_FILE, PREDICTIONS_FILE, LAUNDERED_FILE):
                path = run.folder / name
                if name == LAUNDERED_FILE and not path.exists():
                    parts.append("")
                    continue
                check_regular(path, RunError, _MAX_FILE_BYTES)
                parts.append(file_sha256(path))
    except (OsbenchError, OSError):
        return None
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def load(key: str) -> list[tuple[Entry, Sides]] | None:
    """What was kept under a key; None if nothing was, or nothing that can be read."""
    path = _path(key)
    if not path.exists():
        return None
    try:
        found = from_json(_File, read_json(path, RunError, _MAX_JSON_BYTES), path.name, RunError)
        sides = [Sides(k.primary.side(), k.laundering.side() if k.laundering else None) for k in found.entries]
        path.touch()
    except (OsbenchError, OSError, ValueError):
        return None
    return [(kept.entry, own) for kept, own in zip(found.entries, sides, strict=True)]


def keep(key: str, found: Sequence[tuple[Entry, Sides]]) -> None:
    """Keep what was computed; a cache that cannot be written is none."""
    kept = tuple(
        _Kept(entry, _KeptSide.of(own.primary), _KeptSide.of(own.laundering) if own.laundering else None)
        for entry, own in found
    )
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(to_json(_File(kept)), allow_nan=False).encode())
    except OSError:
        return


def _text(values: FloatArray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def _array(text: str) -> FloatArray:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8").astype(np.float64)


def tidy() -> None:
    """Keep the cache below its size."""
    try:
        files = sorted(((path.stat(), path) for path in _folder().glob("*.json")), key=lambda item: -item[0].st_mtime)
        total = 0
        for stat, path in files:
            total += stat.st_size
            if total > _MAX_CACHE_BYTES:
                path.unlink(missing_ok=True)
    except OSError:
        return


def _folder() -> Path:
    return cache_folder() / "boards"


def _path(key: str) -> Path:
    return _folder() / f"{key}.json"


@cache
def _code() -> str:
    """Of all modules that reading and counting go through, and of the library that counts."""
    root = Path(__file__).resolve().parents[1]
    names = [*(root / "benchmark" / "metrics").glob("*.py"), *(root / "leaderboard").glob("*.py")]
    names += [root / "core" / "documents.py", *(root / "benchmark").glob("*.py")]
    digest = hashlib.sha256(version("numpy").encode())
    for path in sorted(names):
        digest.update(f"{path.relative_to(root)} {file_sha256(path)}\n".encode())
    return digest.hexdigest()
