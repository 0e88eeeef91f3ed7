"""Expensive features, computed once per (weights, preprocessing, image) and kept in the user's cache.

An image is known by the hash of its pixels, not by its place in a dataset: folds, seeds, rejection rules and methods
that look at the same image with the same network share one row, and so does ``predict``, which sees pixels only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import RunError
from ..core.locking import exclusive
from ..core.progress import get_logger, progress_bar
from ..core.user_folders import cache_folder

FORMAT_VERSION = 1


class FeatureCache:
    """Rows of ``dim`` numbers, float32 unless ``dtype`` says otherwise, under the SHA-256 of what they describe.

    The file only grows, by whole records of (hash, values): a process that is killed while it writes leaves at most
    one incomplete record, which the next one cuts off. Several processes may use one file at the same time.

    name: begins the file's name, for people. recipe: JSON-able, everything that the values depend on besides the
    content: the hash of the weights and the preprocessing. folder: default ``features/`` in the user's cache. doing:
    what is made, for the progress bar.
    """

    def __init__(
        self,
        name: str,
        recipe: dict[str, Any],
        dim: int,
        folder: Path | None = None,
        *,
        dtype: str = "<f4",
        doing: str = "",
    ) -> None:
        identity = json.dumps([FORMAT_VERSION, recipe, dim], sort_keys=True)
        key = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self.path = (folder or cache_folder() / "features") / f"{name}-{key}.rows"
        self.name, self.dim, self.doing = name, dim, doing or f"{name} features"
        self._record = np.dtype([("content", "V32"), ("values", dtype, (dim,))])
        self._dtype = np.dtype(dtype)
        self._rows: dict[bytes, np.ndarray] = {}
        self._read = 0
        self._writable = True

    def rows(
        self,
        contents: Sequence[bytes] | np.ndarray,
        compute: Callable[[np.ndarray], np.ndarray],
        *,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Rows (N, dim) of N contents: the bytes of texts, or an array (N, ...) such as images.

        ``compute(positions)`` makes the rows (B, dim) of those contents that are not cached yet; equal contents are
        computed once. Every batch is stored as soon as it is made. Raises :class:`RunError` for values that are not
        finite.
        """
        digests = [hashlib.sha256(bytes(content)).digest() for content in contents]
        if any(digest not in self._rows for digest in digests):
            self._refresh()
        first = {digest: i for i, digest in reversed(list(enumerate(digests)))}
        missing = np.array(sorted(i for digest, i in first.items() if digest not in self._rows), dtype=np.int64)
        if len(missing):
            with progress_bar(self.doing, len(missing), "row") as bar:
                for start in range(0, len(missing), batch_size):
                    positions = missing[start : start + batch_size]
                    values = np.asarray(compute(positions), self._dtype)
                    if not np.isfinite(values).all():
                        raise RunError(f"{self.doing} are not finite; the weights are damaged.")
                    self._store([digests[i] for i in positions], values)
                    bar.update(len(positions))
        out = np.empty((len(digests), self.dim), self._dtype)
        for i, digest in enumerate(digests):
            out[i] = self._rows[digest]
        return out

    def _refresh(self) -> None:
        """Read the records that were appended since the last look."""
        try:
            count = self.path.stat().st_size // self._record.itemsize
        except OSError:
            return
        if count > self._read:
            stored = np.memmap(self.path, self._record, mode="r", shape=(count,))
            for record in stored[self._read :]:
                self._rows.setdefault(record["content"].tobytes(), record["values"])
            self._read = count

    def _store(self, digests: list[bytes], values: np.ndarray) -> None:
        self._rows.update(zip(digests, values, strict=True))
        if not self._writable:
            return
        records = np.empty(len(digests), self._record)
        records["content"] = np.frombuffer(b"".join(digests), "V32")
        records["values"] = values
        try:
            with exclusive(self.path.with_suffix(".lock")), self.path.open("ab") as handle:
                whole = handle.tell() // self._record.itemsize * self._record.itemsize
                handle.truncate(whole)
                handle.write(records.tobytes())
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            self._writable = False
            get_logger().warning("%s cannot be written (%s): features are kept in memory only", self.path, error)
