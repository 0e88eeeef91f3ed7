"""Stand-ins for everything a pickle may name, and the budget that bounds what a pickle may cost.

Nothing here can run code from a file: a global that is not in the reader's table becomes an :class:`InertClass`,
calling it gives an :class:`InertObject`, and both only remember what they were given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import Any


class InertClass:
    """A global named by a pickle: its module and name as text, never imported."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name


class InertObject:
    """What calling (or instantiating) an inert global would have made.

    ``call`` is the inert class or object that was called, ``args`` its arguments, ``state`` the last ``BUILD`` state,
    ``items`` the key-value pairs and ``elements`` the values put into it.
    """

    __slots__ = ("args", "call", "elements", "items", "state")

    def __init__(self, call: object, args: tuple[Any, ...]) -> None:
        self.call = call
        self.args = args
        self.state: Any = None
        self.items: list[tuple[Any, Any]] = []
        self.elements: list[Any] = []


class PersistentObject:
    """An object of ``torch_utils.persistence``: class name and state; the embedded source stays text, unread."""

    __slots__ = ("meta",)

    def __init__(self, meta: dict[Any, Any]) -> None:
        self.meta = meta

    @property
    def class_name(self) -> str:
        name = self.meta.get("class_name")
        return name if isinstance(name, str) else "?"

    @property
    def state(self) -> Any:
        return self.meta.get("state")


class Builder:
    """A global of the reader's table: calling it from a pickle calls our own function with the pickle's arguments."""

    __slots__ = ("build", "name")

    def __init__(self, name: str, build: Callable[..., Any]) -> None:
        self.name = name
        self.build = build


class Budget:
    """Bounds on the work one file may cause: reads (about two per opcode), steps through its tree and bytes copied.

    The largest published files need less than half of the reads and a tenth of the steps. Bytes copied are bounded by
    a small multiple of the file's size, so that no chain of references can multiply its content.
    """

    MAX_READS = 600_000
    MAX_STEPS = 400_000
    MAX_UNUSUAL_KEYS = 4096

    def __init__(self, file_size: int) -> None:
        self.file_size = file_size
        self.reads = self.MAX_READS
        self.steps = self.MAX_STEPS
        self.bytes = 6 * file_size + (1 << 20)
        self.unusual_keys = self.MAX_UNUSUAL_KEYS

    def read(self, count: int) -> None:
        self.reads -= 1
        self.copy(count)
        if self.reads < 0:
            raise UnpicklingError(f"more than {self.MAX_READS} reads; no published checkpoint needs that many")

    def copy(self, count: int) -> None:
        self.bytes -= count
        if self.bytes < 0:
            raise UnpicklingError("its content would multiply the size of the file in memory")

    def step(self, count: int = 1) -> None:
        """Charge a walk through ``count`` nodes of the finished tree, where one node may be met many times."""
        self.steps -= count
        if self.steps < 0:
            raise UnpicklingError(f"more than {self.MAX_STEPS} nodes in its settings and modules")

    def name(self, key: object, before: str = "", between: str = "") -> str:
        """A key of the file as part of a tensor's name, after ``before`` and ``between``; charged by its length."""
        if not isinstance(key, str):
            raise UnpicklingError(f"a name that is {describe(key)}")
        self.copy(len(before) + len(key))
        return f"{before}{between}{key}" if before else key

    def key(self, key: object) -> None:
        """Refuse keys whose hash could recurse deeply or be made to collide in bulk."""
        if isinstance(key, tuple):
            if len(key) > 16 or any(isinstance(item, tuple | frozenset) for item in key):
                raise UnpicklingError("a nested tuple as a dictionary key")
            for item in key:
                self.key(item)
        if key is None or isinstance(key, str | InertClass | InertObject | Builder):
            return
        if isinstance(key, int) and abs(key) < 2**31:
            return
        if not isinstance(key, int | float | bytes | tuple):
            raise UnpicklingError(f"a {type(key).__name__} as a dictionary key")
        if isinstance(key, int) and key.bit_length() > 4096:
            raise UnpicklingError("a giant integer as a dictionary key")
        self.unusual_keys -= 1
        if self.unusual_keys < 0:
            raise UnpicklingError(f"more than {self.MAX_UNUSUAL_KEYS} unusual dictionary keys")


def describe(node: object) -> str:
    """What a node is, in a few words fit for an error message: the file's own class name where it has one."""
    if isinstance(node, PersistentObject):
        return f"a persistent {_short(node.class_name)}"
    if isinstance(node, InertObject):
        call: object = node
        for _ in range(8):
            if not isinstance(call, InertObject):
                break
            call = call.call
        return f"an object of {_short(getattr(call, 'module', '?'))}.{_short(getattr(call, 'name', '?'))}"
    if isinstance(node, InertClass):
        return f"the global {_short(node.module)}.{_short(node.name)}"
    return f"a {type(node).__name__}"


def _short(text: object) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in text[:80]) if isinstance(text, str) else ""
    return plain or "?"


def state_of(node: object) -> dict[Any, Any]:
    """The attribute dictionary of a pickled object; empty where there is none."""
    state = node.state if isinstance(node, InertObject | PersistentObject) else node
    if isinstance(state, tuple) and len(state) == 2:  # (__dict__, __slots__ values)
        state = state[0]
    return state if isinstance(state, dict) else {}


def mapping_of(node: object) -> dict[Any, Any]:
    """The key-value content of a dictionary or of an inert dictionary subclass; empty where there is none."""
    if isinstance(node, dict):
        return node
    return dict(node.items) if isinstance(node, InertObject) else {}


def walk_modules(
    root: object, budget: Budget, *, depth: int = 64, nodes: int = 100_000
) -> Iterator[tuple[str, object]]:
    """Dotted name and node of every submodule of a pickled ``nn.Module``, the root (named ``""``) first.

    UnpicklingError on a tree deeper than ``depth`` or of more than ``nodes`` modules (a cycle, or a bomb), and on
    names that exceed the budget together.
    """
    pending: list[tuple[str, object, int]] = [("", root, 0)]
    seen = 0
    while pending:
        name, node, level = pending.pop()
        seen += 1
        if level > depth or seen > nodes:
            raise UnpicklingError("its module tree is deeper or larger than any network's")
        yield name, node
        children = mapping_of(state_of(node).get("_modules"))
        budget.step(1 + len(children))
        for child, value in reversed(children.items()):
            if value is not None:
                pending.append((budget.name(child, name, "."), value, level + 1))
