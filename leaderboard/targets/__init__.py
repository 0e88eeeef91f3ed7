"""Where submissions go: a folder, or a dataset repository on a hub."""

from __future__ import annotations

import re
from pathlib import Path

from ...core.errors import UsageError
from ..submission import Submission
from .folder import FolderTarget
from .hub import HubTarget
from .receipt import Receipt, Target

__all__ = ["FolderTarget", "HubTarget", "Receipt", "Submission", "Target", "open_target"]

_HUB = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)/?")


def open_target(target: str) -> Target:
    """The target named by a path or ``hf://datasets/ORG/NAME``. UsageError for any other address."""
    hub = _HUB.fullmatch(target)
    if hub:
        return HubTarget.from_environment(hub[1])
    if "://" in target:
        raise UsageError(f"target '{target}' is neither a folder nor hf://datasets/ORG/NAME.")
    return FolderTarget(Path(target))
