from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.core.documents import Limits, Number, from_json, json_schema, to_json
from osbench.core.errors import RunError
from osbench.core.schema import FurtherKeys


@dataclass(frozen=True)
class Inner:
    """What lies inside."""

    kind: Literal["a", "b"]
    share: Number = 0.5


@dataclass(frozen=True)
class Loose(FurtherKeys):
    """A document that may say more."""

    name: str


@dataclass(frozen=True)
class Outer:
    """What lies outside. Second sentence."""

    name: Annotated[str, Limits(pattern="[a-z]*", words="small letters", longest=5, shortest=1)]
    parts: tuple[Inner, ...]
    counts: dict[str, int] = field(default_factory=dict)
    value: bool | int | float | str | None = None
    count: Annotated[int, Limits(least=0, most=10)] = 0
    tags: Annotated[tuple[str, ...], Limits(unique=True)] = ()


outers = st.builds(
    Outer,
    name=st.text("abc", min_size=1, max_size=5),
    parts=st.lists(st.builds(Inner, kind=st.sampled_from("ab"), share=st.floats(allow_infinity=False))).map(tuple),
    counts=st.dictionaries(st.text("xyz"), st.integers()),
    value=st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text("q")),
)


@given(outers)
def test_every_document_comes_back(outer: Outer) -> None:
    again = from_json(Outer, to_json(outer), "x", RunError)
    assert to_json(again) == to_json(outer)
    assert type(again.value) is type(outer.value)
    assert all(math.isnan(a.share) == math.isnan(b.share) for a, b in zip(again.parts, outer.parts, strict=True))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "x: holds the list []; expected names and values."),
        ({"parts": []}, "x: name is missing; expected text on one line."),
        (
            {"name": "a", "parts": [], "more": 1},
            "unknown key of x 'more'. Did you mean 'name'?",
        ),
        ({"name": "a", "parts": {}}, "x: parts is a mapping; expected a list."),
        ({"name": "a", "parts": [{"kind": "c"}]}, "x: parts[0].kind is 'c'; expected one of a, b."),
        ({"name": "a", "parts": [{"kind": "a", "share": "0"}]}, "x: parts[0].share is '0'; expected a number."),
        ({"name": "a", "parts": [], "counts": {"n": 1.5}}, "x: counts.n is 1.5; expected a whole number."),
        ({"name": "abcdef", "parts": []}, "x: name has 6 characters; at most 5 do."),
        ({"name": "", "parts": []}, "x: name has 0 characters; at least 1 do."),
        ({"name": "aB", "parts": []}, "x: name is 'aB'; expected small letters."),
        ({"name": "a", "parts": [], "value": []}, "x: value is the list []; expected true or false or a whole number"),
        ({"name": "a", "parts": [], "count": -1}, "x: count is -1; expected at least 0."),
        ({"name": "a", "parts": [], "count": 11}, "x: count is 11; expected at most 10."),
        ({"name": "a", "parts": [], "tags": ["b", "b"]}, "x: tags names something twice."),
    ],
)
def test_the_first_wrong_key_is_named(document: object, message: str) -> None:
    with pytest.raises(RunError) as caught:
        from_json(Outer, document, "x", RunError)
    assert str(caught.value).startswith(message)


def test_the_schema_says_what_the_type_says() -> None:
    schema = json_schema(Outer)
    assert schema["title"] == "Outer"
    assert schema["description"] == "What lies outside. Second sentence."
    assert schema["required"] == ["name", "parts"]
    assert schema["additionalProperties"] is False
    assert json_schema(Loose)["additionalProperties"] is True
    assert schema["properties"]["name"] == {
        "type": "string",
        "pattern": "^(?:[a-z]*)$",
        "minLength": 1,
        "maxLength": 5,
    }
    assert schema["properties"]["parts"]["items"] == {"$ref": "#/$defs/Inner"}
    assert schema["$defs"]["Inner"]["properties"]["kind"] == {"enum": ["a", "b"]}
    assert schema["$defs"]["Inner"]["properties"]["share"] == {"type": ["number", "null"]}
