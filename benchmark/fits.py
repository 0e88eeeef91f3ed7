"""Several fits at a time, each in a process of its own (:mod:`.fit_process`).

One small network does not fill a GPU or many cores; it nearly fills two cores. Each process makes one fit, publishes
its run and ends. Its memory is free again then, also after an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import IO

import torch

from ..core.progress import get_logger, progress_bar
from ..generation.dataset import Dataset
from .evaluate import Plan
from .images import load_images
from .manifest import Manifest
from .run_info import Option
from .runs import store_manifest


@dataclass(frozen=True)
class Fit:
    """One seed of a method on a manifest, in values that JSON can carry to another process.

    Parameters
    ----------
    label : str
        For people, and to name files after.
    method, module : str
        As :func:`~.method.get_method` takes it; the module whose import makes a registered name known, "" for a file.
    data, manifest, out : str
        Paths of the dataset, of the manifest's file, of the runs folder.
    seed : int
        Feeds every random draw.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    options : dict[str, Option]
        Hyper-parameters that differ from the method's defaults.
    crop_size : int
        Side in pixels of the crops.
    """

    label: str
    method: str
    module: str
    data: str
    manifest: str
    out: str
    seed: int
    device: str
    options: dict[str, Option]
    crop_size: int

    @classmethod
    def of(cls, plan: Plan, dataset: Dataset) -> Fit:
        """The fit of a plan; its manifest is stored in the runs folder for the other process."""
        return cls(
            label=f"{plan.cls.name} on {plan.manifest.fold}, seed {plan.seed}",
            method=plan.name,
            module="" if plan.name.endswith(".py") else plan.cls.__module__,
            data=str(dataset.path),
            manifest=str(store_manifest(plan.out, plan.manifest)),
            out=str(plan.out),
            seed=plan.seed,
            device=plan.device,
            options=plan.config.given,
            crop_size=plan.config.crop_size,
        )


def run_fits(
    fits: Sequence[Fit],
    jobs: int,
    dataset: Dataset,
    manifest: Manifest,
    *,
    crop_size: int | None = None,
    check: bool = False,
) -> list[str | None]:
    """Make fits of one dataset, ``jobs`` at a time; returns for each why it failed, in one line, or None.

    One that fails does not stop the others. The threads of this process are shared out among ``jobs`` processes, also
    while fewer are running: rounding may depend on the number of threads, and must not depend on what else is to do.
    The images are decoded before (any manifest of the dataset will do); see :func:`~.images.load_images`.

    When this process is interrupted the fits end at once, and continue where they were when they are asked for again.
    """
    if not fits:
        return []
    load_images(dataset, manifest, crop_size=crop_size, check=check)
    threads = max(1, torch.get_num_threads() // jobs)
    get_logger().info("%d fits, %d at a time, threads of each: %d", len(fits), jobs, threads)
    processes = _Processes(threads)
    reasons: list[str | None] = [None] * len(fits)
    with ThreadPoolExecutor(jobs) as pool, progress_bar("fits", len(fits), "fit") as bar:
        try:
            running = {pool.submit(processes.run, fit): number for number, fit in enumerate(fits)}
            for done in as_completed(running):
                number = running[done]
                reasons[number] = done.result()
                if reasons[number] is not None:
                    get_logger().warning("%s failed: %s", fits[number].label, reasons[number])
                bar.update(1, last=fits[number].label)
        except BaseException:
            processes.kill()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return reasons


class _Processes:
    """Starts a process for a fit and waits for it; safe to use from many threads."""

    def __init__(self, threads: int) -> None:
        # The libraries read the number of threads when they are loaded. Bars of other people's code would be torn
        # into lines here.
        self._environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"}
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._killed = False
        self._shown: set[str] = set()

    def run(self, fit: Fit) -> str | None:
        """Make one fit; returns why it failed, or None."""
        try:
            process = self._start()
        except OSError as error:
            return f"no process can be started for it: {error}"
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        with process:  # its stdin stays open to the end: that is how it knows that this process is alive
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(asdict(fit)) + "\n")
                process.stdin.flush()
            self._show(fit, process.stderr)
            reason = process.stdout.read().strip()
        with self._lock:
            self._running.discard(process)
        return None if process.returncode == 0 else reason or _ending(process.returncode)

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._killed:
                raise InterruptedError("interrupted")
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{__package__}.fit_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is for this process to see; it ends the others
            )
            self._running.add(process)
        return process

    def _show(self, fit: Fit, lines: IO[str]) -> None:
        """Warnings of a process, above the bar; what many fits say is said once."""
        for line in lines:
            text = line.rstrip()
            with self._lock:
                new = bool(text) and text not in self._shown and not self._killed
                self._shown.add(text)
            if new:
                get_logger().warning("%s: %s", fit.label, text)

    def kill(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._killed = True
            for process in self._running:
                process.kill()


def _ending(returncode: int) -> str:
    if returncode == -getattr(signal, "SIGKILL", 9):
        return "its process was killed, perhaps for lack of memory. Run the same command again with fewer --jobs."
    if returncode < 0:
        return f"its process ended by {signal.Signals(-returncode).name}."
    return f"its process ended with exit code {returncode}."
