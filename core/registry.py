"""Things known by name: registered by import, or found by the entry points of installed packages.

An entry point of a registry's group names one thing, ``median = "my_package.median:Median"``, or a package of which
every module holds the thing of its name, ``builtin = "osbench.baselines.methods"``. Asking for one name imports one
module; listing names imports none.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from .errors import UsageError, unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and what they stand for.

    Parameters
    ----------
    kind : str
        What an item is called in messages: ``"method"``.
    group : str
        The entry-point group, ``"osbench.methods"``.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> None:
        """Make ``item`` known as ``name``; UsageError if another item has that name."""
        taken = self._items.get(name)
        if taken is not None and _origin(taken) != _origin(item):
            raise UsageError(
                f"two {self.kind}s are named '{name}': {_origin(taken)[0]} and {_origin(item)[0]}; rename one."
            )
        self._items[name] = item

    def names(self) -> list[str]:
        """All names, sorted, without importing anything."""
        return sorted({*self._items, *self._loaders})

    def get(self, name: str) -> T:
        """The item of that name; UsageError with the nearest spelling if there is none."""
        if name not in self._items and name in self._loaders:
            item = self._loaders[name]()
            if item is not None and name not in self._items:
                self.add(name, item)
        if name not in self._items:
            raise unknown_name(self.kind, name, self.names())
        return self._items[name]

    def registered(self) -> Mapping[str, T]:
        """What was imported so far, by name."""
        return self._items

    @cached_property
    def _loaders(self) -> dict[str, Callable[[], T | None]]:
        """Name -> what imports it; None comes back where the import itself registers the item."""
        found: dict[str, Callable[[], T | None]] = {}
        for point in entry_points(group=self.group):
            if ":" in point.value:
                found[point.name] = point.load
            else:
                found |= _modules_of(point)
        return found


def _modules_of(point: EntryPoint) -> dict[str, Callable[[], None]]:
    spec = importlib.util.find_spec(point.value)
    places = list(spec.submodule_search_locations or []) if spec else []

    def loader(module: str) -> Callable[[], None]:
        return lambda: (importlib.import_module(f"{point.value}.{module}"), None)[1]

    return {module.name.replace("_", "-"): loader(module.name) for module in pkgutil.iter_modules(places)}


def _origin(item: object) -> tuple[str, str]:
    kind = item if isinstance(item, type) else type(item)
    return kind.__module__, kind.__qualname__
