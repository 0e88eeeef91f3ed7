"""Frozen dataclasses as JSON documents: written, read strictly, and described by a JSON Schema. The type says it all.

Fields may be ``bool``, ``int``, ``float``, ``str``, ``None``, ``Literal``, unions of these, ``tuple[T, ...]``,
``dict[str, T]`` and other such dataclasses; ``Annotated[T, Limits(...)]`` narrows one.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import OsbenchError
from .foreign import printable

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """What a value of a field must keep.

    Parameters
    ----------
    pattern : str, optional
        Regular expression for the whole of a text.
    longest : int, optional
        Most characters of a text, entries of a list or of a mapping.
    shortest : int, optional
        Fewest of them.
    least, most : float, optional
        Bounds of a number, both allowed.
    printable : bool
        No control characters, so that the text can stand in a table or a message.
    unique : bool
        No entry of a list twice.
    null_is_nan : bool
        JSON has no NaN: an undefined number is ``null`` there and NaN here.
    """

    pattern: str | None = None
    longest: int | None = None
    shortest: int | None = None
    least: float | None = None
    most: float | None = None
    printable: bool = False
    unique: bool = False
    null_is_nan: bool = False


Number = Annotated[float, Limits(null_is_nan=True)]
"""A number that may be undefined."""

_NO_LIMITS = Limits()
_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a finite number",
    str: "a text",
    type(None): "null",
}


def to_json(value: Any) -> Any:
    """A dataclass, or anything made of them, as what ``json.dumps`` takes; numbers that are not finite become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(kind: type[T], document: Any, where: str, error: type[OsbenchError]) -> T:
    """The dataclass ``kind`` that a JSON document describes.

    Parameters
    ----------
    kind : type
        A dataclass.
    document : object
        What ``json.loads`` gave.
    where : str
        What the message begins with, e.g. the path of the file.
    error : type[OsbenchError]
        What to raise, in one line that names the first wrong key: missing, unknown, of another type, out of limits.
    """

    def wrong(path: str, text: str) -> OsbenchError:
        return error(f"{where}: key '{printable(path, 100)}' {text}." if path else f"{where}: {text}.")

    return _read(kind, document, "", wrong)


def json_schema(kind: type) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a dataclass."""
    found: dict[str, Any] = {}
    schema = _describe(kind, found)
    name = schema["$ref"].rpartition("/")[2]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found.pop(name), "$defs": found}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _split(hint: Any) -> tuple[Any, Limits]:
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        return inner, next((extra for extra in extras if isinstance(extra, Limits)), _NO_LIMITS)
    return hint, _NO_LIMITS


def _read(hint: Any, value: Any, path: str, wrong: Any) -> Any:
    kind, limits = _split(hint)
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_object(kind, value, path, wrong)
    if origin in (Union, types.UnionType):
        return _read_union(kind, limits, value, path, wrong)
    if origin is Literal:
        if value not in get_args(kind) or isinstance(value, bool):
            raise wrong(path, f"is {_shown(value)}, expected {_words(kind)}")
        return value
    if origin in (tuple, list):
        if not isinstance(value, list):
            raise wrong(path, f"is {_shown(value)}, expected a list")
        items = [_read(get_args(kind)[0], item, f"{path}[{i}]", wrong) for i, item in enumerate(value)]
        _check_size(items, limits, path, wrong)
        return origin(items)
    if origin is dict:
        if not isinstance(value, dict):
            raise wrong(path, f"is {_shown(value)}, expected an object")
        _check_size(list(value), limits, path, wrong)
        key_kind, item_kind = get_args(kind)
        return {
            _read(key_kind, key, f"{path}.{key}", wrong): _read(item_kind, item, f"{path}.{key}", wrong)
            for key, item in value.items()
        }
    return _read_plain(kind, limits, value, path, wrong)


def _read_object(kind: type, value: Any, path: str, wrong: Any) -> Any:
    if not isinstance(value, dict):
        raise wrong(path, "is not a JSON object" if not path else f"is {_shown(value)}, expected an object")
    prefix = f"{path}." if path else ""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            raise wrong(f"{prefix}{key}", "is unknown")
    found = {}
    for name, field in fields.items():
        if name in value:
            found[name] = _read(_hints(kind)[name], value[name], f"{prefix}{name}", wrong)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise wrong(f"{prefix}{name}", "is missing")
    return kind(**found)


def _read_union(kind: Any, limits: Limits, value: Any, path: str, wrong: Any) -> Any:
    for choice in get_args(kind):
        if _fits(choice, value):
            return _read(Annotated[choice, limits] if limits is not _NO_LIMITS else choice, value, path, wrong)
    raise wrong(path, f"is {_shown(value)}, expected {_words(kind)}")


def _fits(hint: Any, value: Any) -> bool:
    kind, _ = _split(hint)
    origin = get_origin(kind)
    if origin is Literal:
        return value in get_args(kind)
    if origin in (tuple, list):
        return isinstance(value, list)
    if origin is dict or dataclasses.is_dataclass(kind):
        return isinstance(value, dict)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _read_plain(kind: Any, limits: Limits, value: Any, path: str, wrong: Any) -> Any:
    if limits.null_is_nan and value is None:
        return math.nan
    if not _fits(kind, value):
        raise wrong(path, f"is {_shown(value)}, expected {_words(kind)}")
    if kind is float:
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise wrong(path, "is no finite number")
    if kind in (int, float) and not (
        (limits.least is None or value >= limits.least) and (limits.most is None or value <= limits.most)
    ):
        raise wrong(path, f"is {_shown(value)}, expected {_range(limits)}")
    if kind is str:
        _check_size(value, limits, path, wrong)
        if limits.printable and not value.isprintable():
            raise wrong(path, "holds characters that cannot be printed")
        if limits.pattern is not None and not re.fullmatch(limits.pattern, value):
            raise wrong(path, f"is {_shown(value)}, which is not of the form {limits.pattern}")
    return value


def _check_size(value: Any, limits: Limits, path: str, wrong: Any) -> None:
    what = "characters" if isinstance(value, str) else "entries"
    if limits.longest is not None and len(value) > limits.longest:
        raise wrong(path, f"has {len(value):,} {what}; at most {limits.longest:,} are read")
    if limits.shortest is not None and len(value) < limits.shortest:
        raise wrong(path, f"has {len(value):,} {what}; at least {limits.shortest} are needed")
    if limits.unique and len(set(value)) < len(value):
        raise wrong(path, "names something twice")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "null" if value is None else printable(repr(value) if isinstance(value, str) else f"{value!s:.60}", 60)


def _words(kind: Any) -> str:
    kind, _ = _split(kind)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(choice) for choice in get_args(kind)))
    if origin is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if origin in (tuple, list):
        return "a list"
    return _WORDS.get(kind, "an object")


def _range(limits: Limits) -> str:
    ends = [f"at least {limits.least:g}"] if limits.least is not None else []
    return " and ".join([*ends, *([f"at most {limits.most:g}"] if limits.most is not None else [])])


def _describe(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    kind, limits = _split(hint)
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in found:
            found[kind.__name__] = {}
            found[kind.__name__] = _describe_object(kind, found)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_describe(choice, found) for choice in get_args(kind)]}
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin in (tuple, list):
        schema = {"type": "array", "items": _describe(get_args(kind)[0], found), "maxItems": limits.longest}
        schema |= {"minItems": limits.shortest, "uniqueItems": limits.unique or None}
    elif origin is dict:
        schema = {"type": "object", "additionalProperties": _describe(get_args(kind)[1], found)}
        schema |= {"maxProperties": limits.longest}
    else:
        names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
        schema = {"type": [names[kind], "null"] if limits.null_is_nan else names[kind]}
        schema |= {"pattern": f"^(?:{limits.pattern})$" if limits.pattern else None, "maxLength": limits.longest}
        schema |= {"minimum": limits.least, "maximum": limits.most}
    return {key: value for key, value in schema.items() if value is not None}


def _describe_object(kind: type, found: dict[str, Any]) -> dict[str, Any]:
    fields = dataclasses.fields(kind)
    needed = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {
        "title": kind.__name__,
        "description": (kind.__doc__ or "").strip().splitlines()[0],
        "type": "object",
        "properties": {field.name: _describe(_hints(kind)[field.name], found) for field in fields},
        "required": needed,
        "additionalProperties": False,
    }
