"""``python -m osbench.leaderboard.verification.child MEMORY SECONDS FILE_BYTES``: one request on stdin, one verdict.

Started by :func:`.process.verify` alone. The limits come before the checks are imported.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from .limits import OUT_OF_MEMORY, limit_process


def main(arguments: list[str]) -> int:
    """Print the verdict as JSON; 0 if there is one."""
    memory, seconds, file_bytes = map(int, arguments)
    limit_process(
        {
            resource.RLIMIT_AS: memory,
            resource.RLIMIT_CPU: seconds,
            resource.RLIMIT_FSIZE: file_bytes,
            resource.RLIMIT_CORE: 0,
        }
    )
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
        return OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
