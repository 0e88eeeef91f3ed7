"""Where submissions go: a folder, a board's server, or a dataset repository on a hub."""

from __future__ import annotations

import re
from pathlib import Path

from ...core.errors import UsageError
from ..submission import Submission
from .folder import FolderTarget
from .hub import HubTarget
from .receipt import Receipt, Target
from .server import ServerTarget

__all__ = ["FolderTarget", "HubTarget", "Receipt", "ServerTarget", "Submission", "Target", "open_target"]

_HUB = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)/?")


def open_target(target: str) -> Target:
    """The target of a path, ``hf://datasets/ORG/NAME`` or ``http(s)://HOST``. UsageError for any other address."""
    hub = _HUB.fullmatch(target)
    if hub:
        return HubTarget.from_environment(hub[1])
    if target.startswith(("http://", "https://")):
        return ServerTarget.from_environment(target)
    if "://" in target:
        raise UsageError(f"target '{target}' is neither a folder nor hf://datasets/ORG/NAME nor http(s)://HOST.")
    return FolderTarget(Path(target))
