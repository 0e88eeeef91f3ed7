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
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import c_byte
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import torch

from ...core.errors import GenerationError
from ..ledger import LedgerEntry
from ..shards import NativeImage, OnImages, Unit, encode_rows, native_batches, publish_rows, write_shard
from . import register_engine

_POLL_SECONDS = 0.2
_BATCHES_AHEAD = 3
"""How many batches the network may be ahead of the encoders before it waits for them."""

_images_done: Synchronized | None = None


@register_engine("local")
def run_local(units: Sequence[Unit], workers: int, on_images: OnImages) -> Iterator[LedgerEntry]:
    """Publish every unit; entries come in the order of completion. GenerationError if a worker dies.

    On the CPU every worker makes whole shards. With an accelerator this process keeps it busy, and the other workers
    compress and write: one network in its memory, and it never waits for a file.
    """
    if workers == 1:
        for unit in units:
            with _single_thread():
                entry = write_shard(unit, on_images)
            yield entry
    elif units[0].device != "cpu":
        yield from run_overlapped(units, workers - 1, on_images)
    elif len(units) == 1:
        yield from run_local(units, 1, on_images)
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
    with _worker_pool(workers) as (pool, counter):
        pending = {pool.submit(_work, unit) for unit in units}
        shown = 0
        while pending:
            done, pending = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
            made = counter.get_obj().value  # without the lock: a killed worker may hold it for ever
            on_images(made - shown)
            shown = made
            for future in done:
                yield future.result()


def run_overlapped(units: Sequence[Unit], encoders: int, on_images: OnImages) -> Iterator[LedgerEntry]:
    """The networks run in this process, ``encoders`` other ones encode the images and write the shards."""
    with _worker_pool(encoders) as (pool, _):
        writing: set[Future[LedgerEntry]] = set()
        encoding: deque[tuple[Unit, list[Future[list[dict[str, Any]]]]]] = deque()
        for unit in units:
            if unit.source.folder is not None:
                writing.add(pool.submit(write_shard, unit))
                on_images(len(unit.indices))
                continue
            rows: list[Future[list[dict[str, Any]]]] = []
            encoding.append((unit, rows))
            for batch in _batches(unit):
                rows += [pool.submit(encode_rows, unit, batch[k::encoders]) for k in range(encoders)]
                on_images(len(batch))
                yield from _write_encoded(pool, encoding, writing, waiting=_BATCHES_AHEAD * encoders)
        yield from _write_encoded(pool, encoding, writing, waiting=0)
        for future in as_completed(writing):
            yield future.result()


def _batches(unit: Unit) -> Iterator[list[NativeImage]]:
    batches = native_batches(unit, unit.indices)
    while True:
        with _single_thread():  # only here: the consumer keeps its own number of threads
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _write_encoded(
    pool: ProcessPoolExecutor,
    encoding: deque[tuple[Unit, list[Future[list[dict[str, Any]]]]]],
    writing: set[Future[LedgerEntry]],
    waiting: int,
) -> Iterator[LedgerEntry]:
    """Wait until at most ``waiting`` encodings are open, have whole shards written, and hand out the written ones."""
    unfinished = [future for _, rows in encoding for future in rows if not future.done()]
    while len(unfinished) > waiting:
        wait(unfinished, return_when=FIRST_COMPLETED)
        unfinished = [future for future in unfinished if not future.done()]
    while encoding and sum(future.done() for future in encoding[0][1]) == len(encoding[0][1]):
        unit, parts = encoding[0]
        rows = [row for future in parts for row in future.result()]
        if len(rows) < len(unit.indices):
            break  # the network has not made all of its images yet
        encoding.popleft()
        writing.add(pool.submit(publish_rows, unit, sorted(rows, key=lambda row: row["index"])))
    for future in [future for future in writing if future.done()]:
        writing.remove(future)
        yield future.result()


@contextmanager
def _worker_pool(workers: int) -> Iterator[tuple[ProcessPoolExecutor, Synchronized]]:
    """A pool, and a shared counter of the images its workers made (:func:`_count`)."""
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    stop = context.RawValue("b", 0)  # an Event would wait for ever for a waiter that was killed
    pool = ProcessPoolExecutor(workers, context, _start_worker, (counter, stop, os.getpid()))
    finished = False
    try:
        yield pool, counter
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
