"""Docstrings of public objects are valid numpydoc: to a strict reading of ours, and to the parser of the site."""

from __future__ import annotations

import logging
from pathlib import Path

import griffe
import pytest

from .docstrings import Documented, documented
from .pages import ROOT

FLOORS = ("core", "generation", "benchmark", "baselines", "leaderboard", "cli", "osbench")


def sources(floor: str) -> list[Path]:
    """The modules of a floor; the links in ``osbench/`` are not followed."""
    return sorted((ROOT / floor).glob("*.py" if floor == "osbench" else "**/*.py"))


@pytest.mark.parametrize("floor", FLOORS)
def test_every_list_is_name_and_type(floor: str) -> None:
    assert sources(floor)
    faults = [
        f"{path.relative_to(ROOT)}:{one.line} {one.name}: {fault}"
        for path in sources(floor)
        for one in documented(path)
        for fault in one.faults()
    ]
    assert not faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Words.\n\nParameters\n----------\nx: a number.", "is not 'name : type'"),
        ("Words.\n\nParameters\n----------\ny : int\n    A number.", "no parameter 'y'"),
        ("Words.\n\nClass attributes\n----------------\nx : int", "is none of numpydoc"),
        ("Words.\n\nReturns\n-------\nA number.", "ends like a sentence"),
        ("Words.\n\nReturns\n------\nint", "not underlined by its own length"),
        ("Words.\n\nRaises\n------\nRunError: no score.", "is not the name of an error"),
        ("Words.\n\nRaises\n------\n", "is empty"),
    ],
)
def test_the_strict_reading_sees_what_is_wrong(text: str, fault: str) -> None:
    found = list(Documented("f", 1, text, frozenset({"x"})).faults())
    assert len(found) == 1
    assert fault in found[0]


def test_the_strict_reading_accepts_numpydoc() -> None:
    text = """Words.

Parameters
----------
x, *more : int, optional
    Numbers.
kind : {"a", "b"}

Returns
-------
total : float
    Their sum.

Raises
------
RunError
    No number.
"""
    assert not list(Documented("f", 1, text, frozenset({"x", "more", "kind"})).faults())


def test_the_parser_of_the_site_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    package = griffe.load("osbench", search_paths=[ROOT], submodules=True)
    assert isinstance(package, griffe.Object)
    with caplog.at_level(logging.WARNING):
        count = _parse(package)
    assert count > 1000
    assert not [record.getMessage() for record in caplog.records]


def _parse(item: griffe.Object) -> int:
    """Parse the docstrings of an object and of all that it holds; their number."""
    count = 0
    if item.docstring is not None:
        item.docstring.parse("numpy")
        count += 1
    for member in item.members.values():
        if not member.is_alias:
            assert isinstance(member, griffe.Object)
            count += _parse(member)
    return count
