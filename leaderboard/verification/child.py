"""``python -m osbench.leaderboard.verification.child MEMORY SECONDS FILE_BYTES``: one request on stdin, one verdict.

Started by :func:`.process.verify` alone. The limits come before anything else is imported.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

_OUT_OF_MEMORY = 3


def main(arguments: list[str]) -> int:
    """Print the verdict as JSON; 0 if there is one."""
    memory, seconds, file_bytes = map(int, arguments)
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    document = json.load(sys.stdin)
    try:
        from ...core.progress import set_quiet
        from .checks import Request, check, unreadable

        set_quiet(True)
        paths = {key: Path(document[key]) if document[key] else None for key in ("manifests", "data", "against")}
        try:
            verdict = check(Request(Path(document["path"]), **paths, bootstrap=document["bootstrap"]))
        except MemoryError:
            raise
        except Exception as error:  # whatever a foreign file raises is a verdict on it
            verdict = unreadable(error)
        json.dump(verdict.to_json(), sys.stdout)
    except MemoryError:
        return _OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
