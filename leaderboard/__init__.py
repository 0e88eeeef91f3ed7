"""The board: ranking of runs, the page that shows it, and the submission of runs to a shared place."""

from __future__ import annotations

import sys
import types
from typing import Any


class _Package(types.ModuleType):
    """This package can be called: ``osbench.leaderboard("runs")`` is :func:`.board.leaderboard`."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        from .board import leaderboard

        return leaderboard(*args, **keywords)


sys.modules[__name__].__class__ = _Package
