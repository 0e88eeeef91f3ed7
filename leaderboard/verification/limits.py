"""Limits of this process, set before it looks at what strangers sent. Imports nothing of osbench."""

from __future__ import annotations

import resource

OUT_OF_MEMORY = 3
"""Exit code of a process that needed more memory than it had."""


def limit_process(limits: dict[int, int]) -> None:
    """Set some limits, ``resource.RLIMIT_*`` -> most; none is raised above what the process may have."""
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
