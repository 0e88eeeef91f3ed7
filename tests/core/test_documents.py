from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.core.documents import Limits, Number, from_json, json_schema, to_json
from osbench.core.errors import RunError


@dataclass(frozen=True)
class Inner:
    """What lies inside."""

    kind: Literal["a", "b"]
    share: Number = 0.5


@dataclass(frozen=True)
class Outer:
    """What lies outside. Second sentence."""

    name: Annotated[str, Limits(longest=5, printable=True)]
    parts: tuple[Inner, ...]
    counts: dict[str, int] = field(default_factory=dict)
    value: bool | int | float | str | None = None


outers = st.builds(
    Outer,
    name=st.text("abc", max_size=5),
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
        ([], "x: is not a JSON object."),
        ({"parts": []}, "x: key 'name' is missing."),
        ({"name": "a", "parts": [], "more": 1}, "x: key 'more' is unknown."),
        ({"name": "a", "parts": {}}, "x: key 'parts' is an object, expected a list."),
        ({"name": "a", "parts": [{"kind": "c"}]}, "x: key 'parts[0].kind' is 'c', expected 'a' or 'b'."),
        (
            {"name": "a", "parts": [{"kind": "a", "share": "0"}]},
            "x: key 'parts[0].share' is '0', expected a finite number.",
        ),
        ({"name": "a", "parts": [], "counts": {"n": 1.0}}, "x: key 'counts.n' is 1.0, expected an integer."),
        ({"name": "abcdef", "parts": []}, "x: key 'name' has 6 characters; at most 5 are read."),
        ({"name": "a\x1b", "parts": []}, "x: key 'name' holds characters that cannot be printed."),
        ({"name": "a", "parts": [], "value": []}, "x: key 'value' is a list, expected true or false or an integer"),
        ({"name": "a", "parts": [], "a\nb": 1}, "x: key 'a b' is unknown."),
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
    assert schema["properties"]["name"] == {"type": "string", "maxLength": 5}
    assert schema["properties"]["parts"]["items"] == {"$ref": "#/$defs/Inner"}
    assert schema["$defs"]["Inner"]["properties"]["kind"] == {"enum": ["a", "b"]}
    assert schema["$defs"]["Inner"]["properties"]["share"] == {"type": ["number", "null"]}
