"""What a weight file holds, for people and for scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...core.foreign import printable
from .load import LoadedGenerator, load_generator


def inspect_checkpoint(path: str | Path) -> dict[str, Any]:
    """JSON-able description of a generator file; CheckpointError if it is none.

    Keys: ``path``, ``sha256``, ``bytes``, ``layout``, ``family``, ``config``, ``tensors`` (how many arrays the file
    holds for the generator), ``parameters`` (how many numbers in them), ``resolution``, ``z_dim``, ``c_dim``,
    ``warnings``.
    """
    generator = load_generator(path)
    arrays = generator.tensors()
    return {
        "path": str(generator.path),
        "sha256": generator.sha256,
        "bytes": generator.path.stat().st_size,
        "layout": generator.layout,
        "family": generator.family,
        "config": generator.config,
        "tensors": len(arrays),
        "parameters": sum(array.size for array in arrays.values()),
        "resolution": generator.resolution,
        "z_dim": generator.z_dim,
        "c_dim": generator.c_dim,
        "warnings": _warnings(generator),
    }


def _warnings(generator: LoadedGenerator) -> list[str]:
    broken = [name for name, array in generator.tensors().items() if not np.isfinite(array).all()]
    extra = [f"{len(broken)} tensors hold NaN or infinite values, first {printable(broken[0])}"] if broken else []
    return [*generator.warnings, *extra]
