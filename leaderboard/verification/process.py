"""Verification in a process of its own, with limits on memory and time: what is sent cannot harm who looks at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ...core.documents import to_json
from ...core.errors import OsbenchError
from .limits import OUT_OF_MEMORY
from .verdict import Verdict, problem

_MODULE = "osbench.leaderboard.verification.child"
_FILE_BYTES = 1 << 30


@dataclass(frozen=True)
class VerifyLimits:
    """What one verification may cost.

    Parameters
    ----------
    seconds : int
        Of the clock, and of the processor.
    memory_bytes : int
        Address space.
    """

    seconds: int = 600
    memory_bytes: int = 8 << 30


def verify(
    path: Path,
    *,
    manifests: Path | None = None,
    data: Path | None = None,
    against: Path | None = None,
    bootstrap: int = 1000,
    limits: VerifyLimits | None = None,
) -> Verdict:
    """Whether the folder of a submission is in order, and its numbers.

    Parameters
    ----------
    path : Path
        The folder: ``submission.json`` and a folder for each seed.
    manifests : Path, optional
        A folder that holds ``manifests/<id>.parquet``; without it, the folders above ``path``.
    data : Path, optional
        The dataset, for manifests that are not there.
    against : Path, optional
        A folder of accepted submissions: none of them may be a twin.
    bootstrap : int
        Replicates of the intervals; those of the board, whose cache then has the numbers.
    limits : VerifyLimits, optional
        Memory and time.

    Returns
    -------
    Verdict
        Always: a submission that needs too much, or ends the process, is refused as ``too-costly`` or ``not-verified``.
    """
    limits = limits or VerifyLimits()
    folder = path.absolute()
    asked = {
        "path": str(folder),
        **{k: v and str(v.absolute()) for k, v in (("manifests", manifests), ("data", data), ("against", against))},
        "bootstrap": bootstrap,
    }
    words = [sys.executable, "-m", _MODULE, str(limits.memory_bytes), str(limits.seconds), str(_FILE_BYTES)]
    try:
        done = subprocess.run(
            words,
            input=json.dumps(to_json(asked)).encode(),
            capture_output=True,
            timeout=limits.seconds + 5,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        text = f"verifying it takes more than {limits.seconds} seconds."
        return Verdict.refused([problem("too-costly", text)], folder.name)
    if done.returncode == OUT_OF_MEMORY:
        text = f"verifying it takes more than {limits.memory_bytes >> 20:,} MB of memory."
        return Verdict.refused([problem("too-costly", text)], folder.name)
    try:
        return Verdict.from_json(json.loads(done.stdout))
    except (ValueError, OsbenchError):
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        text = f"the verification ended without a verdict (exit code {done.returncode}) {''.join(said)}"
        return Verdict.refused([problem("not-verified", text)], folder.name)
