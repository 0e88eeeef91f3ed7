"""The queue: what waits is verified in processes of their own, oldest first, then the boards are built."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass

import sqlalchemy as sa

from ...core.errors import OsbenchError
from ...core.text import printable
from ..verification.verdict import Problem, Verdict
from . import rows
from .observe import Observed
from .settings import Settings
from .store import Store

_LOOK_AGAIN_S = 5.0
_PAUSE_S = 1.0
_LONGEST_WAIT_S = 60.0
_MODULE = "osbench.leaderboard.server.worker"


@dataclass(frozen=True)
class _Ended:
    """How a process of the queue ended; ``code`` None if its time was up."""

    code: int | None
    output: bytes
    errors: str


class Verifying:
    """Verifies what the database says is waiting, ``settings.workers`` at the same time."""

    def __init__(self, settings: Settings, engine: sa.Engine, store: Store, observed: Observed) -> None:
        self.settings = settings
        self.engine = engine
        self.store = store
        self.observed = observed
        self._more = asyncio.Event()
        self._publish = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what an earlier server did not finish, and go on with what comes."""
        released = await asyncio.to_thread(rows.release, self.engine)
        self.observed.log("queue started", workers=self.settings.workers, taken_up=released)
        self._publish.set()
        loops = [self._verify_all() for _ in range(self.settings.workers)] + [self._publish_all()]
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        """End the processes; what they were at waits again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Exception):  # a database that went away: the next start takes them up
            await asyncio.to_thread(rows.release, self.engine)

    def wake(self) -> None:
        """Something new waits."""
        self._more.set()

    @property
    def alive(self) -> bool:
        """Whether all loops run."""
        return all(not task.done() for task in self._tasks)

    async def _verify_all(self) -> None:
        while True:
            try:
                row = await asyncio.to_thread(rows.claim, self.engine)
                if row is not None:
                    self._idle.clear()
                    await self._verify(row)
                    continue
                self._idle.set()
                self._more.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._more.wait(), _LOOK_AGAIN_S)
            except Exception as error:  # the database or the disk: the queue goes on when they are back
                self.observed.log("queue", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _verify(self, row: rows.Row) -> None:
        path = await asyncio.to_thread(self.store.find, row.digest, row.method)
        if path is None:
            problem = Problem("files-lost", "the files are not in the folder of the server.", "Send them again.")
            await self._finish(row, "failed", Verdict(False, (problem,), {}))
            return
        limits = self.settings.limits
        words = ["verify", str(path), str(self.store.folder), str(self.settings.bootstrap), str(limits.verify_bytes)]
        try:
            ended = await self._run(words, limits.verify_s)
        except BaseException:
            with contextlib.suppress(Exception):
                rows.put_back(self.engine, row.digest)
            raise
        verdict = _verdict(ended.output) if ended.code == 0 else None
        if verdict is not None:
            await self._finish(row, "accepted" if verdict.ok else "refused", verdict)
        elif ended.code is None or "MemoryError" in ended.errors or "ArrowMemoryError" in ended.errors:
            what = f"{limits.verify_s} seconds" if ended.code is None else f"{limits.verify_bytes >> 20:,} MB of memory"
            problem = Problem("too-costly", f"verifying it takes more than {what}.", "Submit fewer seeds or rules.")
            await self._finish(row, "refused", Verdict(False, (problem,), {}))
        elif row.attempts < limits.attempts:
            self.observed.log(
                "verification without a verdict", submission=row.digest, code=ended.code, said=ended.errors
            )
            await asyncio.to_thread(rows.put_back, self.engine, row.digest)
            await asyncio.sleep(_PAUSE_S)
        else:
            self.observed.log("verification failed", submission=row.digest, code=ended.code, said=ended.errors)
            problem = Problem("not-verified", "the verification ended without a verdict.", "Write to the maintainers.")
            await self._finish(row, "failed", Verdict(False, (problem,), {}))

    async def _finish(self, row: rows.Row, status: rows.Status, verdict: Verdict) -> None:
        # Files first: a row that says "accepted" has its files where the boards are built from.
        if status == "accepted":
            await asyncio.to_thread(self.store.accept, row.digest, row.method)
        elif status == "refused":
            await asyncio.to_thread(self.store.refuse, row.digest, row.method)
        await asyncio.to_thread(rows.finish, self.engine, row.digest, status, verdict)
        self.observed.verified.labels(status).inc()
        self.observed.log("verified", submission=row.digest, status=status, problems=[p.code for p in verdict.problems])
        if status == "accepted":
            self._publish.set()

    async def _publish_all(self) -> None:
        while True:
            await self._publish.wait()
            # Of many that wait, one build for all of them; but a long queue does not hold the board back.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), _LONGEST_WAIT_S)
            self._publish.clear()
            try:
                accepted = await asyncio.to_thread(rows.with_status, self.engine, "accepted")
                manifests = sorted({row.manifest_id for row in accepted})
                if manifests:
                    limits = self.settings.limits
                    head = ["boards", str(self.store.folder), str(self.settings.bootstrap), str(limits.verify_bytes)]
                    ended = await self._run([*head, *manifests], 4 * limits.verify_s)
                    self.observed.log("boards built", manifests=manifests, code=ended.code, said=ended.errors)
            except Exception as error:
                self.observed.log("boards", error=f"{type(error).__name__}: {error}")
                self._publish.set()
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _run(self, words: list[str], seconds: float) -> _Ended:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _MODULE, *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            return _Ended(None, b"", "")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _Ended(process.returncode, output, printable(errors[-2000:].decode(errors="replace"), 2000))


def _verdict(output: bytes) -> Verdict | None:
    try:
        return Verdict.from_json(json.loads(output))
    except (ValueError, OsbenchError):
        return None
