from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from osbench.core.errors import UsageError
from osbench.core.schema import FurtherKeys, check_keywords, read_record


@dataclass(frozen=True)
class Leaf:
    name: str
    weight: float = 1.0


@dataclass(frozen=True)
class Tree:
    height: int
    leaves: tuple[Leaf, ...] = ()
    kind: Literal["oak", "ash"] = "oak"
    rings: tuple[int | None, ...] = ()
    span: tuple[float, float] | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    by_name: dict[str, Leaf] = field(default_factory=dict)
    place: Path | None = None
    green: bool = True

    def __post_init__(self) -> None:
        if self.height < 1:
            raise UsageError("too low.")


def test_a_record_is_read_by_its_annotations() -> None:
    document = {
        "height": 3,
        "leaves": [{"name": "a"}, {"name": "b", "weight": 2}],
        "kind": "ash",
        "rings": [1, None],
        "span": [1, 2.5],
        "notes": {"x": [1, {"y": None}], "z": True},
        "by_name": {"c": {"name": "c"}},
        "place": "a/b",
        "green": False,
    }
    assert read_record(Tree, document, "t.yaml") == Tree(
        3,
        (Leaf("a"), Leaf("b", 2)),
        "ash",
        (1, None),
        (1, 2.5),
        {"x": [1, {"y": None}], "z": True},
        {"c": Leaf("c")},
        Path("a/b"),
        False,
    )
    assert read_record(Tree, {"height": 1}, "t.yaml") == Tree(1)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("hello", r"t\.yaml: holds 'hello'; expected names and values\."),
        (None, r"t\.yaml: holds null; expected names and values\."),
        ({}, r"t\.yaml: height is missing; expected a whole number\."),
        ({"height": 1.0}, r"t\.yaml: height is 1\.0; expected a whole number\."),
        ({"height": True}, r"height is true; expected a whole number\."),
        ({"height": "1"}, r"height is '1'; expected a whole number\."),
        ({"height": None}, r"height is null; expected a whole number\."),
        ({"height": 0}, r"t\.yaml: too low\."),
        ({"height": 1, "hieght": 2}, r"unknown key of t\.yaml 'hieght'\. Did you mean 'height'"),
        ({"height": 1, 5: 2}, r"unknown key of t\.yaml '5'"),
        ({"height": 1, "leaves": {}}, r"leaves is a mapping; expected a list\."),
        ({"height": 1, "leaves": [{"name": "a"}, 7]}, r"leaves\[1\] is 7; expected names and values\."),
        ({"height": 1, "leaves": [{"nom": "a"}]}, r"unknown key of t\.yaml below leaves\[0\] 'nom'"),
        ({"height": 1, "leaves": [{}]}, r"leaves\[0\]\.name is missing; expected text on one line\."),
        ({"height": 1, "leaves": [{"name": "a\nb"}]}, r"leaves\[0\]\.name is 'a b'; expected text on one line\."),
        ({"height": 1, "leaves": [{"name": "a", "weight": "heavy"}]}, r"weight is 'heavy'; expected a number\."),
        (
            {"height": 1, "leaves": [{"name": "a", "weight": float("inf")}]},
            r"weight is inf; expected a finite number\.",
        ),
        ({"height": 1, "leaves": [{"name": "a", "weight": 10**400}]}, r"weight is 1000.*; expected a finite number\."),
        ({"height": 1, "kind": "elm"}, r"kind is 'elm'; expected one of oak, ash\."),
        ({"height": 1, "rings": [1, "x"]}, r"rings\[1\] is 'x'; expected a whole number or null\."),
        ({"height": 1, "span": [1]}, r"span is the list \[1\]; expected a list of 2\."),
        ({"height": 1, "span": 5}, r"span is 5; expected a list or null\."),
        ({"height": 1, "notes": {"x": {1, 2}}}, r"notes\.x is .*; expected plain data\."),
        ({"height": 1, "notes": {"x": [float("nan")]}}, r"notes\.x\[0\] is nan; expected a finite number\."),
        ({"height": 1, "notes": {3: 4}}, r"notes is 3; expected text on one line as a name\."),
        ({"height": 1, "by_name": {"c": {"name": 3}}}, r"by_name\.c\.name is 3; expected text on one line\."),
        ({"height": 1, "place": 3}, r"place is 3; expected a path or null\."),
        ({"height": 1, "green": "yes"}, r"green is 'yes'; expected true or false\."),
        ({"height": 10**5000, "kind": 1}, r"kind is 1; expected one of oak, ash\."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_one_line(document: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_record(Tree, document, "t.yaml")
    assert str(caught.value).isprintable()


def test_a_place_and_fields_that_may_not_be_set() -> None:
    with pytest.raises(UsageError, match=r"t\.yaml: trees\[2\]\.height is 'x'"):
        read_record(Tree, {"height": "x"}, "t.yaml", "trees[2]")
    with pytest.raises(UsageError, match=r"t\.yaml: trees\[2\]: too low"):
        read_record(Tree, {"height": 0}, "t.yaml", "trees[2]")
    with pytest.raises(UsageError, match=r"unknown key of .*'green'"):
        read_record(Tree, {"height": 1, "green": True}, "t.yaml", without=("green",))


@dataclass(frozen=True)
class Bush(FurtherKeys):
    leaves: tuple[Leaf, ...] = ()


def test_further_keys_are_passed_over_where_the_type_says_so() -> None:
    assert read_record(Bush, {"leaves": [], "thorns": [object()]}, "b.yaml") == Bush()
    with pytest.raises(UsageError, match=r"unknown key of b\.yaml below leaves\[0\] 'thorn'"):
        read_record(Bush, {"leaves": [{"name": "a", "thorn": 1}]}, "b.yaml")
    with pytest.raises(UsageError, match=r"b\.yaml: leaves is 1; expected a list\."):
        read_record(Bush, {"leaves": 1, "thorns": 2}, "b.yaml")


def test_keyword_arguments_are_checked_against_the_function() -> None:
    def sample(seeds: list[int], psi: float = 1.0, mode: Literal["a", "b"] = "a", steps: int | None = None) -> None: ...

    check_keywords(sample, {"psi": 1, "mode": "b", "steps": None}, "source x", given=("seeds",))
    for values, message in (
        ({"psi": "lots"}, r"source x: psi is 'lots'; expected a number\."),
        ({"mode": "c"}, r"source x: mode is 'c'; expected one of a, b\."),
        ({"steps": 2.5}, r"source x: steps is 2\.5; expected a whole number or null\."),
        ({"spi": 1}, r"unknown key of source x 'spi'\. Did you mean 'psi'"),
        ({"seeds": [1]}, "unknown key of source x 'seeds'"),
    ):
        with pytest.raises(UsageError, match=message):
            check_keywords(sample, values, "source x", given=("seeds",))

    def anything(seeds: list[int], **options: Any) -> None: ...

    check_keywords(anything, {"whatever": 1}, "source x", given=("seeds",))
