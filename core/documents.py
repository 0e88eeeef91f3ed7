"""Frozen dataclasses as JSON documents: written, read strictly, and described by a JSON Schema, by their type."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import OsbenchError
from .schema import FurtherKeys, Limits, Number, read_record, split_limits

__all__ = ["Limits", "Number", "from_json", "json_schema", "to_json"]

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """A dataclass, or anything made of them, as what ``json.dumps`` takes; numbers that are not finite become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(item) for item in cast(Sequence[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(kind: type[T], document: object, where: str, error: type[OsbenchError]) -> T:
    """The dataclass that a document describes; ``error`` in one line that names the first wrong key.

    See :func:`.schema.read_record`.
    """
    return read_record(kind, document, where, error=error)


def json_schema(kind: type) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a dataclass."""
    found: dict[str, Any] = {}
    schema = _describe(kind, found)
    name = schema["$ref"].rpartition("/")[2]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found.pop(name), "$defs": found}


def _describe(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    kind, limits = split_limits(hint)
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
        names: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
        schema = {"type": [names[kind], "null"] if limits.null_is_nan else names[kind]}
        schema |= {
            "pattern": f"^(?:{limits.pattern})$" if limits.pattern else None,
            "minLength": limits.shortest,
            "maxLength": limits.longest,
        }
        schema |= {"minimum": limits.least, "maximum": limits.most}
    return {key: value for key, value in schema.items() if value is not None}


def _describe_object(kind: type, found: dict[str, Any]) -> dict[str, Any]:
    fields, hints = dataclasses.fields(kind), get_type_hints(kind, include_extras=True)
    needed = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {
        "title": kind.__name__,
        "description": (kind.__doc__ or "").strip().splitlines()[0],
        "type": "object",
        "properties": {field.name: _describe(hints[field.name], found) for field in fields},
        "required": needed,
        "additionalProperties": issubclass(kind, FurtherKeys),
    }
