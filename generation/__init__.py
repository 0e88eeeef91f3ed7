"""Floor 2 of osbench: who makes the images, and how they are stored."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..core.errors import CheckpointError

if TYPE_CHECKING:
    from .checkpoints import LoadedGenerator, inspect_checkpoint, load_generator

__all__ = ["CheckpointError", "LoadedGenerator", "inspect_checkpoint", "load_generator"]


def __getattr__(name: str) -> Any:
    # The reader brings torch with it, which takes seconds; a command line that only lists things should not wait.
    if name in __all__:
        return getattr(importlib.import_module(".checkpoints", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
