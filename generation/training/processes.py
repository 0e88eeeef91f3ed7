"""Several trainings at a time, each in a process of its own: one small network does not fill a GPU."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from ...core.progress import progress_bar


def run_commands(commands: Mapping[str, Sequence[str]], jobs: int, logs: Path) -> list[str]:
    """Run this package's command line once per entry, ``jobs`` at a time; returns the names of those that failed.

    What a process prints goes to ``logs/<name>.log``; one that fails does not stop the others.
    """
    logs.mkdir(parents=True, exist_ok=True)
    failed = []
    with ThreadPoolExecutor(jobs) as pool, progress_bar("trainings", len(commands), "process") as bar:
        running = {pool.submit(_run, argv, logs / f"{name}.log"): name for name, argv in commands.items()}
        for done in as_completed(running):
            if done.result():
                failed.append(running[done])
            bar.update(1, last=running[done])
    return sorted(failed)


def _run(argv: Sequence[str], log: Path) -> int:
    with log.open("w") as out:
        command = [sys.executable, "-m", __package__ or "", *argv]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT).returncode
