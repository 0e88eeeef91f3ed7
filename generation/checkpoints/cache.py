"""Tensors of checkpoints that were read once, as safetensors under the SHA-256 of the source file."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from ...core.progress import get_logger
from ...core.user_folders import cache_folder
from .layouts import LAYOUTS, Weights

#: Raised when the layouts start to read the same file differently: older entries are then not used.
FORMAT = 1


def checkpoint_folder() -> Path:
    """Where converted weights are kept by default: ``checkpoints`` in osbench's cache folder."""
    return cache_folder() / "checkpoints"


def _entry(folder: Path, sha256: str) -> Path:
    return folder / f"{sha256}.safetensors"


def load(folder: Path, sha256: str) -> Weights | None:
    """The cached content of a source file; None if there is none, or it is damaged or of another format."""
    from safetensors import SafetensorError, safe_open

    path = _entry(folder, sha256)
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="np") as file:
            header = json.loads((file.metadata() or {})["osbench"])
            if header["format"] != FORMAT or header["layout"] not in LAYOUTS:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        order = header["names"]
        return Weights(
            layout=header["layout"],
            family=header["family"],
            config=header["config"],
            tensors={name: tensors[name] for name in order},
            hints=header["hints"],
            warnings=tuple(header["warnings"]),
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        get_logger().warning("%s: unusable cache entry (%s); reading the source file again.", path, error)
        return None


def store(folder: Path, sha256: str, weights: Weights) -> None:
    """Write an entry atomically. A cache that cannot be written only costs time: the reason is logged."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    header = {
        "format": FORMAT,
        "layout": weights.layout,
        "family": weights.family,
        "config": weights.config,
        "hints": weights.hints,
        "warnings": list(weights.warnings),
        "names": list(weights.tensors),
    }
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{sha256[:16]}.", dir=folder)
        os.close(handle)
        save_file(weights.tensors, temporary, metadata={"osbench": json.dumps(header)})
        os.replace(temporary, _entry(folder, sha256))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        get_logger().warning("checkpoint cache not written (%s).", error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
