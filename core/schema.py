"""Reads documents into frozen dataclasses by their annotations; what does not fit is an error of one line.

The line names the file, the field, the value and what is expected: ``own.yaml: recipe.crop_size is 32.5; expected a
whole number.`` Nothing is converted on the way but lists to tuples and texts to paths.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from .errors import OsbenchError, UsageError, unknown_name
from .text import is_plain, printable

T = TypeVar("T")

_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text on one line",
    bool: "true or false",
    type(None): "null",
    Path: "a path",
    dict: "names and values",
    tuple: "a list",
    list: "a list",
    Any: "plain data",
}


@dataclass(frozen=True)
class Limits:
    """What a value must keep; ``Annotated[T, Limits(...)]`` narrows a field.

    Parameters
    ----------
    pattern : str, optional
        Regular expression for the whole of a text.
    words : str, optional
        The pattern in words, for messages: ``"a SHA-256"``.
    longest, shortest : int, optional
        Bounds of the characters of a text, the entries of a list or of names and values.
    least, most : float, optional
        Bounds of a number, both allowed.
    unique : bool
        No entry of a list twice.
    null_is_nan : bool
        JSON has no NaN: an undefined number is ``null`` there and NaN here.
    """

    pattern: str | None = None
    words: str | None = None
    longest: int | None = None
    shortest: int | None = None
    least: float | None = None
    most: float | None = None
    unique: bool = False
    null_is_nan: bool = False


Number = Annotated[float, Limits(null_is_nan=True)]
"""A number that may be undefined."""


class FurtherKeys:
    """Base of dataclasses whose documents may have further keys, which are passed over: another version wrote them."""


_NO_LIMITS = Limits()
_UNIONS = (typing.Union, types.UnionType)


def split_limits(kind: Any) -> tuple[Any, Limits]:
    """An annotation, and its limits."""
    if typing.get_origin(kind) is Annotated:
        inner, *extras = typing.get_args(kind)
        return inner, next((extra for extra in extras if isinstance(extra, Limits)), _NO_LIMITS)
    return kind, _NO_LIMITS


def read_record(
    kind: type[T],
    document: object,
    where: str,
    prefix: str = "",
    without: Collection[str] = (),
    error: type[OsbenchError] = UsageError,
) -> T:
    """A dataclass from a mapping.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are annotated with int, float, str, bool, None, Path, Literal, Any (plain data),
        tuples, lists, dictionaries with text keys, unions and dataclasses of these, and with :class:`Limits`.
    document : object
        What should be a mapping of its field names.
    where : str
        What errors begin with: the file.
    prefix : str
        Where in the file the mapping lies (``"sources[2]"``).
    without : collection of str
        Fields that a document may not set.
    error : type[OsbenchError]
        What to raise.

    Returns
    -------
    T
        An error for anything else: an unknown key (except of :class:`FurtherKeys`), a missing one, a value of another
        type, a number that is not finite, a text with control characters, and whatever the dataclass itself refuses.
    """
    return _record(kind, document, _Place(where, prefix, error), frozenset(without))


def check_keywords(function: Callable[..., Any], values: Mapping[str, Any], where: str, given: Collection[str]) -> None:
    """UsageError unless ``values`` are keyword arguments of a function, by its annotations.

    Parameters
    ----------
    function : callable
        What will be called.
    values : mapping of str to Any
        Keyword arguments that a document states.
    where : str
        What errors begin with.
    given : collection of str
        Arguments that the caller gives itself, which a document may not set.
    """
    parameters = {name: p for name, p in inspect.signature(function).parameters.items() if name not in given}
    try:
        hints = typing.get_type_hints(function)
    except NameError:  # annotated with names that exist for type checkers only
        hints = {}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        parameters |= {name: p for name in values if (p := parameters.get(name)) is None}
    for name, value in values.items():
        if name not in parameters:
            raise unknown_name(f"key of {where}", name, parameters)
        _value(hints.get(name, Any), value, _Place(where, "").at(name))


class _Place:
    """Where a value lies: in which file, and there under which name."""

    def __init__(self, where: str, name: str, error: type[OsbenchError] = UsageError) -> None:
        self.where = where
        self.name = name
        self.error = error

    def at(self, key: str | int) -> _Place:
        step = f"[{key}]" if isinstance(key, int) else printable(key, 60)
        dot = "." if self.name and isinstance(key, str) else ""
        return _Place(self.where, f"{self.name}{dot}{step}", self.error)

    def mismatch(self, value: object, expected: str) -> OsbenchError:
        what = f"{self.name} is {_shown(value)}" if self.name else f"holds {_shown(value)}"
        return self.error(f"{self.where}: {what}; expected {expected}.")


def _record(kind: type[T], document: object, place: _Place, without: frozenset[str] = frozenset()) -> T:
    if not isinstance(document, Mapping):
        raise place.mismatch(document, _NAMES[dict])
    given = cast(Mapping[Any, object], document)
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind) if f.name not in without}  # type: ignore[arg-type]
    hints = _hints(kind)
    unknown = [key for key in given if key not in known]
    if unknown and not issubclass(kind, FurtherKeys):
        inside = f"{place.where} below {place.name}" if place.name else place.where
        raise place.error(str(unknown_name(f"key of {inside}", unknown[0], known)))
    for name, field in known.items():
        if name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise place.error(f"{place.where}: {place.at(name).name} is missing; expected {_expected(hints[name])}.")
    values = {key: _value(hints[key], value, place.at(key)) for key, value in given.items() if key in known}
    try:
        return kind(**values)
    except UsageError as error:
        inside = f"{place.name}: " if place.name else ""
        raise place.error(f"{place.where}: {inside}{error}") from error


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _value(kind: Any, value: object, place: _Place) -> Any:
    """The value as ``kind`` has it; an error if it is of another type."""
    kind, limits = split_limits(kind)
    if limits.null_is_nan and value is None:
        return math.nan
    for option in _options(kind):
        plain, own = split_limits(option)
        if _fits(plain, value):
            found = _converted(plain, value, place)
            _check_limits(found, limits, place)
            _check_limits(found, own, place)
            return found
    raise place.mismatch(value, _expected(kind))


def _check_limits(value: Any, limits: Limits, place: _Place) -> None:
    if limits is _NO_LIMITS:
        return
    if isinstance(value, str | tuple | list | dict):
        unit = "characters" if isinstance(value, str) else "entries"
        length = len(cast(Collection[Any], value))
        if limits.longest is not None and length > limits.longest:
            raise place.error(f"{place.where}: {place.name} has {length:,} {unit}; at most {limits.longest:,} do.")
        if limits.shortest is not None and length < limits.shortest:
            raise place.error(f"{place.where}: {place.name} has {length:,} {unit}; at least {limits.shortest} do.")
        if limits.unique and len(set(cast(Collection[Any], value))) < length:
            raise place.error(f"{place.where}: {place.name} names something twice.")
    if isinstance(value, str) and limits.pattern is not None and not re.fullmatch(limits.pattern, value):
        raise place.mismatch(value, limits.words or f"the form {limits.pattern}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if limits.least is not None and value < limits.least:
            raise place.mismatch(value, f"at least {limits.least:g}")
        if limits.most is not None and value > limits.most:
            raise place.mismatch(value, f"at most {limits.most:g}")


@functools.cache
def _options(kind: Any) -> tuple[Any, ...]:
    kind, _ = split_limits(kind) if typing.get_origin(split_limits(kind)[0]) in _UNIONS else (kind, None)
    if typing.get_origin(kind) in _UNIONS:
        return tuple(option for part in typing.get_args(kind) for option in _options(part))
    return (kind,)


def _fits(kind: Any, value: object) -> bool:
    """Whether the value itself, not yet what it contains, is of this kind (of which it is no union)."""
    origin = typing.get_origin(kind) or kind
    if kind is Any:
        return value is None or isinstance(value, str | bool | int | float | list | tuple | dict)
    if origin is typing.Literal:
        return any(type(value) is type(choice) and value == choice for choice in typing.get_args(kind))
    if origin in (tuple, list):
        return isinstance(value, list | tuple)
    if origin is dict or is_dataclass(origin):
        return isinstance(value, Mapping)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str | Path) if kind is Path else isinstance(value, kind)


def _converted(kind: Any, value: Any, place: _Place) -> Any:
    """A value that fits, with everything in it converted."""
    if kind is Any:
        kind = _kind_of(value)
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if is_dataclass(origin):
        return _record(typing.cast(type[Any], origin), value, place)
    if origin is dict:
        for key in value:
            if not isinstance(key, str) or not all(map(is_plain, key)):
                raise place.mismatch(key, "text on one line as a name")
        return {key: _value(inner[1], item, place.at(key)) for key, item in value.items()}
    if origin is list:
        return [_value(inner[0] if inner else Any, item, place.at(i)) for i, item in enumerate(value)]
    if origin is tuple:
        several = inner[-1] is Ellipsis
        if not several and len(inner) != len(value):
            raise place.mismatch(value, f"a list of {len(inner)}")
        if several and inner[0] is float and all(type(item) is float and math.isfinite(item) for item in value):
            return tuple(value)  # at once: curves are long
        kinds = [inner[0]] * len(value) if several else inner
        return tuple(_value(k, item, place.at(i)) for i, (k, item) in enumerate(zip(kinds, value, strict=True)))
    if kind is float and not math.isfinite(_number(value, place)):
        raise place.mismatch(value, "a finite number")
    if isinstance(value, str) and not all(map(is_plain, value)):
        raise place.mismatch(value, _NAMES[str])
    return Path(value) if kind is Path else value


def _kind_of(value: object) -> Any:
    if isinstance(value, dict):
        return dict[str, Any]
    return list if isinstance(value, list | tuple) else type(value)


def _number(value: int | float, place: _Place) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise place.mismatch(value, "a finite number") from error


def _expected(kind: Any) -> str:
    names: list[str] = []
    for option, _ in map(split_limits, _options(kind)):
        origin = typing.get_origin(option) or option
        if origin is typing.Literal:
            names.append(f"one of {', '.join(map(str, typing.get_args(option)))}")
        else:
            names.append(_NAMES.get(dict if is_dataclass(origin) else origin, str(getattr(origin, "__name__", origin))))
    return " or ".join(dict.fromkeys(names))


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"'{printable(value, 60)}'"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"the list {printable(list(cast(Sequence[Any], value)), 60)}"
    return printable(value, 60)
