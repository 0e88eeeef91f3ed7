"""The default engine: shards in this process, or in a pool of processes on this machine.

Workers are started afresh (never forked: PyTorch does not survive a fork) and run one thread each. They end
when the parent asks them to and also when the parent dies, however it dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import c_byte
from multiprocessing.sharedctypes import Synchronized

import torch

from ..errors import GenerationError
from ..ledger import LedgerEntry
from ..shards import OnImages, Unit, write_shard

_POLL_SECONDS = 0.2
_images_done: Synchronized | None = None


def run_local(units: Sequence[Unit], workers: int, on_images: OnImages) -> Iterator[LedgerEntry]:
    """Publish every unit; entries come in the order of completion. GenerationError if a worker dies."""
    if workers == 1 or len(units) < 2:
        for unit in units:
            with _single_thread():
                entry = write_shard(unit, on_images)
            yield entry
    else:
        yield from _run_pool(units, min(workers, len(units)), on_images)


@contextmanager
def _single_thread() -> Iterator[None]:
    """One thread: the number of threads changes the order of floating-point sums, hence bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _run_pool(units: Sequence[Unit], workers: int, on_images: OnImages) -> Iterator[LedgerEntry]:
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    stop = context.RawValue("b", 0)  # an Event would wait for ever for a waiter that was killed
    pool = ProcessPoolExecutor(workers, context, _start_worker, (counter, stop, os.getpid()))
    finished = False
    try:
        pending = {pool.submit(_work, unit) for unit in units}
        shown = 0
        while pending:
            done, pending = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
            made = counter.get_obj().value  # without the lock: a killed worker may hold it for ever
            on_images(made - shown)
            shown = made
            for future in done:
                yield future.result()
        finished = True
    except BrokenProcessPool as error:
        raise GenerationError(
            "a worker process was killed, perhaps for lack of memory. Run the same command again with fewer --workers."
        ) from error
    finally:
        if not finished:  # an error, Ctrl-C, or the consumer left: do not wait for the shards under way
            stop.value = 1
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(counter: Synchronized, stop: c_byte, parent: int) -> None:
    global _images_done
    _images_done = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_parent, args=(stop, parent), daemon=True).start()


def _leave_with_parent(stop: c_byte, parent: int) -> None:
    while not stop.value and os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)


def _work(unit: Unit) -> LedgerEntry:
    return write_shard(unit, _count)


def _count(images: int) -> None:
    assert _images_done is not None
    with _images_done.get_lock():
        _images_done.value += images
