"""Things known by name: registered by import, or found by the entry points of installed packages.

An entry point of a registry's group names one thing, ``median = "my_package.median:Median"``, or a package,
``builtin = "osbench.baselines.methods"``. The things of a package are found in the text of its modules, by their
decorators: ``@register_method("median")`` at the beginning of a line. Asking for one name imports one module; listing
names imports none.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar

from .errors import UsageError, unknown_name

T = TypeVar("T")
_DECORATOR = re.compile(r'^@register_\w+\(\s*"([^"]+)"', re.MULTILINE)


class Registry(Generic[T]):
    """Names and what they stand for.

    Parameters
    ----------
    kind : str
        What an item is called in messages: ``"method"``.
    group : str
        The entry-point group, ``"osbench.methods"``.

    Examples
    --------
    >>> colours = Registry("colour", "somebody.colours")
    >>> colours.add("red", "#f00")
    >>> colours.get("red")
    '#f00'
    >>> colours.get("rot")
    Traceback (most recent call last):
    osbench.core.errors.UsageError: unknown colour 'rot'. Did you mean 'red'? Known: red.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> None:
        """Make ``item`` known as ``name``; UsageError if another item has that name."""
        taken = self._items.get(name)
        if taken is not None and not _same(taken, item):
            raise UsageError(
                f"two {self.kind}s are named '{name}': {_origin(taken)[0]} and {_origin(item)[0]}; rename one."
            )
        self._items[name] = item

    def forget(self, name: str) -> None:
        """Remove a registered item that turned out to be invalid."""
        del self._items[name]

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

    def title(self, name: str) -> str:
        """One line about an item: the first sentence of its module, which is not imported, or of its own text."""
        source = self.source(name)
        text = self.get(name).__doc__ if source is None else ast.get_docstring(ast.parse(source))
        paragraph = " ".join((text or "").split("\n\n")[0].split())
        return re.split(r"(?<=\.) (?=[A-Z])", paragraph, maxsplit=1)[0].rstrip(".")

    def source(self, name: str) -> str | None:
        """The text of the module of a package that registers that name; None for what is known in another way."""
        path = self._modules.get(name, (None, None))[1]
        return None if path is None else path.read_text("utf-8")

    @cached_property
    def _points(self) -> list[EntryPoint]:
        return list(entry_points(group=self.group))

    @cached_property
    def _modules(self) -> dict[str, tuple[str, Path]]:
        """Name -> the module that registers it, and its file, for the packages among the entry points."""
        return {name: place for point in self._points if ":" not in point.value for name, place in _named_in(point)}

    @cached_property
    def _loaders(self) -> dict[str, Callable[[], T | None]]:
        """Name -> what imports it; None comes back where the import itself registers the item."""

        def importer(module: str) -> Callable[[], None]:
            return lambda: (importlib.import_module(module), None)[1]

        found: dict[str, Callable[[], T | None]] = {name: importer(m) for name, (m, _) in self._modules.items()}
        return found | {point.name: point.load for point in self._points if ":" in point.value}


def _named_in(point: EntryPoint) -> list[tuple[str, tuple[str, Path]]]:
    """Every name that a module of the package (or of a package in it) registers, without importing one of them."""
    top, *rest = point.value.split(".")
    # The parents are not imported for it, which find_spec would do with the full name.
    spec = importlib.util.find_spec(top)
    found: list[tuple[str, tuple[str, Path]]] = []
    for place in list(spec.submodule_search_locations or []) if spec else []:
        folder = Path(place, *rest)
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            module = ".".join((point.value, *(part for part in parts if part != "__init__")))
            found += [(name, (module, path)) for name in _DECORATOR.findall(path.read_text("utf-8", "replace"))]
    return found


def _same(a: object, b: object) -> bool:
    """Whether both are the same thing, or one class or function whose module was imported twice."""
    return a == b or (hasattr(a, "__qualname__") and _origin(a) == _origin(b))


def _origin(item: object) -> tuple[str, str]:
    """Module and name: of a class or a function its own, of anything else its class's."""
    written = item if hasattr(item, "__qualname__") else type(item)
    return written.__module__, getattr(written, "__qualname__", "")
