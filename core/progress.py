"""Progress and logging, all of it on stderr: stdout belongs to results.

On a terminal a bar with rate and time left; elsewhere (a log file, a CI job) one line now and then.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO, TypeVar

from tqdm import tqdm

T = TypeVar("T")

LINE_EVERY_SECONDS = 15.0
"""How often progress prints a line where stderr is no terminal."""

_quiet = False


class Bar(Protocol):
    """What :func:`progress_bar` yields."""

    def update(self, n: int = 1, **postfix: Any) -> None:
        """Count ``n`` more units; keyword values are shown behind the bar."""
        ...


def set_quiet(quiet: bool) -> None:
    """Silence bars and everything below warnings (``--json``, ``--quiet``)."""
    global _quiet
    _quiet = quiet
    get_logger().setLevel(logging.WARNING if quiet else logging.INFO)


def is_quiet() -> bool:
    """Whether :func:`set_quiet` silenced progress."""
    return _quiet


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes above a live bar instead of through it, and follows a replaced ``sys.stderr``."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


def get_logger() -> logging.Logger:
    """The one logger of the project, ``osbench``, on stderr."""
    logger = logging.getLogger("osbench")
    if not any(isinstance(h, _StderrHandler) for h in logger.handlers):
        handler = _StderrHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    return logger


class _SilentBar:
    def update(self, n: int = 1, **postfix: Any) -> None:
        pass


class _TerminalBar:
    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar

    def update(self, n: int = 1, **postfix: Any) -> None:
        if postfix:
            self._bar.set_postfix(postfix, refresh=False)  # pyright: ignore[reportUnknownMemberType]
        self._bar.update(n)


class _LineBar:
    """A line at most every :data:`LINE_EVERY_SECONDS`, and one at the end."""

    def __init__(self, description: str, total: float | None, unit: str, done: int) -> None:
        self._description, self._total, self._unit = description, total, unit
        self._before = self._done = done
        self._start = self._printed = time.monotonic()
        self._postfix: dict[str, Any] = {}

    def update(self, n: int = 1, **postfix: Any) -> None:
        self._done += n
        self._postfix = postfix or self._postfix
        if time.monotonic() - self._printed >= LINE_EVERY_SECONDS:
            self.line()

    def line(self) -> None:
        self._printed = time.monotonic()
        seconds = max(self._printed - self._start, 1e-9)
        rate = (self._done - self._before) / seconds
        text = f"{self._description}: {self._done}"
        if self._total:
            text += f"/{self._total:g}"
        text += f" {self._unit}, {rate:.1f} {self._unit}/s"
        if self._total and rate and self._done < self._total:
            text += f", {tqdm.format_interval((self._total - self._done) / rate)} left"
        text += "".join(f", {key} {value}" for key, value in self._postfix.items())
        get_logger().info(text)


@contextmanager
def progress_bar(
    description: str, total: float | None = None, unit: str = "it", done: int = 0
) -> Generator[Bar, None, None]:
    """A bar to update by hand: ``with progress_bar("generate", 4200, "img") as bar: bar.update(20, shard=3)``.

    done: units that an earlier, interrupted run finished; they count, but not for the rate.
    """
    if _quiet:
        yield _SilentBar()
    elif sys.stderr.isatty():
        with tqdm(
            total=total, desc=description, unit=unit, initial=done, file=sys.stderr, dynamic_ncols=True, smoothing=0.1
        ) as bar:
            yield _TerminalBar(bar)
    else:
        lines = _LineBar(description, total, unit, done)
        yield lines
        lines.line()


def track(
    iterable: Iterable[T],
    *,
    description: str,
    total: int | None = None,
    unit: str = "it",
    unit_scale: bool = False,
) -> Iterator[T]:
    """Iterate and show progress; ``total`` defaults to ``len(iterable)`` where it has one."""
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)  # type: ignore[arg-type]
    if not _quiet and sys.stderr.isatty():
        yield from tqdm(
            iterable,
            desc=description,
            total=total,
            unit=unit,
            unit_scale=unit_scale,
            file=sys.stderr,
            dynamic_ncols=True,
        )
        return
    with progress_bar(description, total, unit) as bar:
        for item in iterable:
            yield item
            bar.update(1)
