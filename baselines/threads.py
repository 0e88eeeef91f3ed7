"""How many threads a method may use, without loading torch to ask it."""

from __future__ import annotations

import os
import sys


def thread_count() -> int:
    """What torch was told, where it is loaded; else ``OMP_NUM_THREADS``, else the cores of this process."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else len(os.sched_getaffinity(0))
