"""Engines schedule units of work; the unit itself (:class:`..shards.Unit`) is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...core.errors import unknown_name
from ..ledger import LedgerEntry
from ..shards import OnImages, Unit
from .local import run_local

Engine = Callable[[Sequence[Unit], int, OnImages], Iterator[LedgerEntry]]
"""(units, workers, progress callback) -> entries of published shards, in any order."""

_ENGINES: dict[str, Engine] = {"local": run_local}


def engine_names() -> list[str]:
    """Names of all engines, sorted."""
    return sorted(_ENGINES)


def get_engine(name: str) -> Engine:
    """The engine called ``name``; UsageError with a suggestion otherwise."""
    if name not in _ENGINES:
        raise unknown_name("engine", name, _ENGINES)
    return _ENGINES[name]
