"""``python -m osbench.leaderboard.server.worker``: what the server lets another process do, within limits.

::

    worker verify SUBMISSION FOLDER BOOTSTRAP BYTES      prints the verdict as JSON
    worker boards FOLDER BOOTSTRAP BYTES MANIFEST...     builds the boards of these manifests

It reads what strangers sent, so it may use BYTES of memory, and whatever happens to it does not happen to the server.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from ...core.errors import OsbenchError
from ...core.progress import set_quiet
from ..submission import SUBMISSIONS_FOLDER
from ..verification.limits import limit_process


def main(arguments: list[str]) -> int:
    """Do one thing; 0 if it was done."""
    set_quiet(True)
    what, *rest = arguments
    if what == "verify":
        path, folder, bootstrap, most = rest
        limit_process({resource.RLIMIT_AS: int(most)})
        from ..verification.checks import Request, check

        asked = Request(Path(path), Path(folder), against=Path(folder) / SUBMISSIONS_FOLDER, bootstrap=int(bootstrap))
        json.dump(check(asked).to_json(), sys.stdout)
        return 0
    folder, bootstrap, most, *manifests = rest
    limit_process({resource.RLIMIT_AS: int(most)})
    return _boards(Path(folder), int(bootstrap), manifests)


def _boards(folder: Path, bootstrap: int, manifests: list[str]) -> int:
    from ...benchmark.runs import find_manifest
    from ..board import build_board

    failed = 0
    for manifest_id in manifests:
        try:
            board = build_board(
                folder,
                manifest_id=manifest_id,
                bootstrap=bootstrap,
                manifest_lookup=lambda key: find_manifest(folder, key),
            )
            board.save(folder / "boards" / manifest_id)
        except OsbenchError as error:
            failed = 1
            print(error, file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
