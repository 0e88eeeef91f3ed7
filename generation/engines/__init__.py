"""Engines schedule units of work; the unit itself (:class:`..shards.Unit`) is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...core.registry import Registry
from ..ledger import LedgerEntry
from ..shards import OnImages, Unit

Engine = Callable[[Sequence[Unit], int, OnImages], Iterator[LedgerEntry]]
"""(units, workers, progress callback) -> entries of published shards, in any order."""

_ENGINES: Registry[Engine] = Registry("engine", "osbench.engines")


def register_engine(name: str) -> Callable[[Engine], Engine]:
    """Decorator of the function that publishes units: make an engine known under ``name``."""

    def register(engine: Engine) -> Engine:
        _ENGINES.add(name, engine)
        return engine

    return register


def engine_names() -> list[str]:
    """Names of all engines, sorted; none is imported for it."""
    return _ENGINES.names()


def get_engine(name: str) -> Engine:
    """The engine called ``name``; UsageError with a suggestion otherwise."""
    return _ENGINES.get(name)
