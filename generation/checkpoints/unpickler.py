"""A pickle machine that imports nothing, calls nothing of the file's choosing and sets no attribute.

It is Python's own pure-Python machine (its memo is a dictionary, so a huge memo index costs nothing) with every
opcode that could call, import or mutate replaced. See :mod:`.inert` for what comes out.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable
from pickle import UnpicklingError
from typing import Any

from .arrays import Array, DType, from_buffer, scalar
from .inert import Budget, Builder, InertClass, InertObject, PersistentObject

# The pure-Python machine is not part of the documented interface, so type checkers know little of it.
_Machine: Any = pickle._Unpickler  # type: ignore[attr-defined]

_LARGE = 4096  # byte strings from this size on stay views of the file


class Reader:
    """File-like access to a buffer, charged to a budget; a short read is an error."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        self.data = data
        self.budget = budget
        self.position = 0

    def view(self, count: int) -> memoryview:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise EOFError("it ends in the middle of a record")
        part = self.data[self.position : end]
        self.position = end
        return part

    def read(self, count: int) -> bytes:
        self.budget.read(max(count, 0))
        return bytes(self.view(count))

    def readline(self) -> bytes:
        """Up to and including the next newline; names and numbers never exceed 64 kB."""
        chunk = bytes(self.data[self.position : self.position + 65536])
        end = chunk.find(b"\n") + 1
        if not end:
            raise EOFError("a line without end")
        self.budget.read(end)
        self.position += end
        return chunk[:end]


class InertUnpickler(_Machine):
    """Unpickles one buffer; the attribute ``reader.position`` then tells where the pickle ended.

    Parameters
    ----------
    data : memoryview
        The buffer; ``start`` is where the pickle begins.
    budget : Budget
        Shared between nested pickles.
    persistent : callable, optional
        Resolves persistent ids; without it a persistent id is an error.
    torch_table : dict[tuple[str, str], Any] or None, optional
        Further (module, name) -> object entries (the storage reader's).
    """

    dispatch: dict[int, Callable[..., None]] = dict(_Machine.dispatch)

    def __init__(
        self,
        data: memoryview,
        budget: Budget,
        *,
        start: int = 0,
        persistent: Callable[[Any], Any] | None = None,
        torch_table: dict[tuple[str, str], Any] | None = None,
    ) -> None:
        self.reader = Reader(data, budget)
        self.reader.position = start
        self.budget = budget
        self.persistent = persistent
        self.table = {**_TABLE, **(torch_table or {})}
        self.classes: dict[tuple[str, str], InertClass] = {}
        super().__init__(self.reader, fix_imports=False, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        known = self.table.get((module, name))
        if known is not None:
            return known
        return self.classes.setdefault((module, name), InertClass(module, name))

    def persistent_load(self, pid: Any) -> Any:
        if self.persistent is None:
            raise UnpicklingError("a persistent id where none belongs")
        return self.persistent(pid)

    def call(self, function: object, args: object) -> Any:
        if not isinstance(args, tuple):
            raise UnpicklingError("a call whose arguments are no tuple")
        if isinstance(function, Builder):
            return function.build(self, *args)
        if isinstance(function, InertClass | InertObject):
            return InertObject(function, args)
        raise UnpicklingError(f"a call of a {type(function).__name__}")

    def fill(self, target: object, pairs: Iterable[tuple[Any, Any]]) -> None:
        if not isinstance(target, dict | InertObject):
            raise UnpicklingError(f"items put into a {type(target).__name__}")
        for key, value in pairs:
            self.budget.key(key)
            if isinstance(target, dict):
                target[key] = value
            else:
                target.items.append((key, value))

    def extend(self, target: object, values: list[Any]) -> None:
        if isinstance(target, set):
            for value in values:
                self.budget.key(value)
            target.update(values)
        elif isinstance(target, list):
            target.extend(values)
        elif isinstance(target, InertObject):
            target.elements.extend(values)
        else:
            raise UnpicklingError(f"values put into a {type(target).__name__}")

    # One method per replaced opcode. The stack and pop_mark() are the machine's own.

    def op_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], args)

    def op_newobj_ex(self) -> None:
        kwargs, args = self.stack.pop(), self.stack.pop()
        made = self.call(self.stack[-1], args)
        if kwargs:
            if not isinstance(made, InertObject) or not isinstance(kwargs, dict):
                raise UnpicklingError("keyword arguments where none belong")
            made.args = (*made.args, kwargs)
        self.stack[-1] = made

    def op_inst(self) -> None:
        module, name = (self.readline()[:-1].decode("utf-8") for _ in range(2))
        args = tuple(self.pop_mark())
        self.append(self.call(self.find_class(module, name), args))

    def op_obj(self) -> None:
        args = self.pop_mark()
        self.append(self.call(args[0] if args else None, tuple(args[1:])))

    def op_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, InertObject):
            target.state = state
        elif isinstance(target, Array | DType):
            target.build(state)
        elif not isinstance(target, InertClass | PersistentObject | dict | list | set | Builder):
            raise UnpicklingError(f"a state for a {type(target).__name__}")

    def op_append(self) -> None:
        value = self.stack.pop()
        self.extend(self.stack[-1], [value])

    def op_extend(self) -> None:
        values = self.pop_mark()
        self.extend(self.stack[-1], values)

    def op_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.fill(self.stack[-1], [(key, value)])

    def op_setitems(self) -> None:
        items = self.pop_mark()
        self.fill(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def op_dict(self) -> None:
        items = self.pop_mark()
        made: dict[Any, Any] = {}
        self.fill(made, zip(items[::2], items[1::2], strict=True))
        self.append(made)

    def op_empty_set(self) -> None:
        self.budget.copy(216)  # the one object of a single opcode that is large
        self.append(set())

    def op_frozenset(self) -> None:
        items = self.pop_mark()
        for item in items:
            self.budget.key(item)
        self.append(frozenset(items))

    def op_binbytes(self) -> None:
        self.append(self.large_bytes(4))

    def op_binbytes8(self) -> None:
        self.append(self.large_bytes(8))

    def large_bytes(self, width: int) -> bytes | memoryview:
        count = int.from_bytes(self.read(width), "little")
        return self.read(count) if count < _LARGE else self.reader.view(count)

    def op_frame(self) -> None:
        self.read(8)  # a frame only promises how far ahead one may read; we read opcode by opcode

    def op_refused(self) -> None:
        raise UnpicklingError("an opcode that no checkpoint needs (extension registry or out-of-band buffer)")


for _opcode, _method in {
    pickle.REDUCE: InertUnpickler.op_reduce,
    pickle.NEWOBJ: InertUnpickler.op_reduce,
    pickle.NEWOBJ_EX: InertUnpickler.op_newobj_ex,
    pickle.INST: InertUnpickler.op_inst,
    pickle.OBJ: InertUnpickler.op_obj,
    pickle.BUILD: InertUnpickler.op_build,
    pickle.APPEND: InertUnpickler.op_append,
    pickle.APPENDS: InertUnpickler.op_extend,
    pickle.ADDITEMS: InertUnpickler.op_extend,
    pickle.SETITEM: InertUnpickler.op_setitem,
    pickle.SETITEMS: InertUnpickler.op_setitems,
    pickle.DICT: InertUnpickler.op_dict,
    pickle.EMPTY_SET: InertUnpickler.op_empty_set,
    pickle.FROZENSET: InertUnpickler.op_frozenset,
    pickle.BINBYTES: InertUnpickler.op_binbytes,
    pickle.BINBYTES8: InertUnpickler.op_binbytes8,
    pickle.BYTEARRAY8: InertUnpickler.op_binbytes8,
    pickle.FRAME: InertUnpickler.op_frame,
    pickle.EXT1: InertUnpickler.op_refused,
    pickle.EXT2: InertUnpickler.op_refused,
    pickle.EXT4: InertUnpickler.op_refused,
    pickle.NEXT_BUFFER: InertUnpickler.op_refused,
    pickle.READONLY_BUFFER: InertUnpickler.op_refused,
}.items():
    InertUnpickler.dispatch[_opcode[0]] = _method


def _sequence(machine: InertUnpickler, values: object) -> list[Any]:
    if not isinstance(values, list | tuple | set | frozenset):
        raise UnpicklingError(f"a sequence made of a {type(values).__name__}")
    machine.budget.copy(64 * len(values))
    return list(values)


def _make_list(machine: InertUnpickler, values: object = ()) -> list[Any]:
    return _sequence(machine, values)


def _make_tuple(machine: InertUnpickler, values: object = ()) -> tuple[Any, ...]:
    return tuple(_sequence(machine, values))


def _make_set(machine: InertUnpickler, values: object = ()) -> set[Any]:
    made: set[Any] = set()
    machine.extend(made, _sequence(machine, values))
    return made


def _make_dict(machine: InertUnpickler, content: object = ()) -> dict[Any, Any]:
    pairs = _sequence(machine, list(content.items()) if isinstance(content, dict) else content)
    if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in pairs):
        raise UnpicklingError("a dictionary made of something else than pairs")
    made: dict[Any, Any] = {}
    machine.fill(made, ((key, value) for key, value in pairs))
    return made


def _make_bytes(machine: InertUnpickler, content: object = b"") -> bytes:
    if not isinstance(content, bytes | memoryview):
        raise UnpicklingError("bytes made of something else")
    machine.budget.copy(len(content))
    return bytes(content)


def _encode(machine: InertUnpickler, text: object = "", encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnpicklingError("an encoding other than latin1")
    machine.budget.copy(len(text))
    return text.encode("latin1")


def _reconstruct_object(machine: InertUnpickler, cls: object, base: object = None, state: object = None) -> Any:
    is_container = isinstance(cls, Builder) and isinstance(state, dict | list)
    return machine.call(cls, (state,) if is_container or not isinstance(cls, Builder) else ())


def _new_object(machine: InertUnpickler, cls: object, *args: Any) -> Any:
    return machine.call(cls, args)


def _make_persistent(machine: InertUnpickler, meta: object) -> PersistentObject:
    if not isinstance(meta, dict):
        raise UnpicklingError("a persistent object without its dictionary")
    return PersistentObject(meta)


def _make_array(machine: InertUnpickler, subtype: object, shape: object = (0,), kind: object = b"b") -> Array:
    return Array()


def _make_dtype(machine: InertUnpickler, text: object, align: object = False, copy: object = True) -> DType:
    return DType(text)


def _make_scalar(machine: InertUnpickler, dtype: object, data: object = b"") -> Any:
    return scalar(dtype, data)


def _make_from_buffer(machine: InertUnpickler, *args: object) -> Array:
    if not 3 <= len(args) <= 4:
        raise UnpicklingError("an array from a buffer without dtype and shape")
    return from_buffer(*args)


def _make_object(machine: InertUnpickler, *args: Any) -> InertObject:
    return InertObject(InertClass("builtins", "object"), args)


def _make_float(machine: InertUnpickler, value: object = 0.0) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _table() -> dict[tuple[str, str], Builder]:
    easy_dict = Builder("EasyDict", _make_dict)
    array, dtype = Builder("ndarray", _make_array), Builder("dtype", _make_dtype)
    table = {
        ("collections", "OrderedDict"): Builder("OrderedDict", _make_dict),
        ("dnnlib.util", "EasyDict"): easy_dict,
        ("dnnlib", "EasyDict"): easy_dict,
        ("config", "EasyDict"): easy_dict,
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): Builder("persistent", _make_persistent),
        ("_codecs", "encode"): Builder("encode", _encode),
        ("numpy", "dtype"): dtype,
        ("numpy", "ndarray"): array,
        ("torch", "Size"): Builder("Size", _make_tuple),
    }
    for module in ("builtins", "__builtin__"):
        for name, build in {
            "set": _make_set,
            "frozenset": _make_set,
            "dict": _make_dict,
            "list": _make_list,
            "tuple": _make_tuple,
            "bytes": _make_bytes,
            "bytearray": _make_bytes,
            "object": _make_object,
            "float": _make_float,
        }.items():
            table[module, name] = Builder(name, build)
    for module in ("copyreg", "copy_reg"):
        table[module, "_reconstructor"] = Builder("_reconstructor", _reconstruct_object)
        table[module, "__newobj__"] = Builder("__newobj__", _new_object)
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "_reconstruct"] = Builder("_reconstruct", _make_array)
        table[f"{core}.multiarray", "scalar"] = Builder("scalar", _make_scalar)
        table[f"{core}.numeric", "_frombuffer"] = Builder("_frombuffer", _make_from_buffer)
    return table


_TABLE = _table()
