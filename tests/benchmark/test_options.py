"""Senseless hyper-parameters are one line, before anything is trained."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.options import Bounds, above, at_least, checked_option, limits_of, one_of
from osbench.core.errors import UsageError


@given(value=st.integers(-50, 50), low=st.integers(-20, 20), width=st.integers(0, 20), is_open=st.booleans())
def test_bounds_equal_their_definition(value: int, low: int, width: int, is_open: bool) -> None:
    bounds = Bounds(low, low + width, above=is_open)
    inside = (value > low if is_open else value >= low) and value <= low + width
    assert (bounds.fault(value) is None) == inside


@pytest.mark.parametrize(
    ("value", "default", "limit", "said"),
    [
        (-1.0, 1e-3, above(0), "option x=-1.0 of method m: it must be above 0."),
        (0, 32, at_least(1), "it must be at least 1."),
        (2, 0.5, at_least(0, at_most=1), "it must be at least 0 and at most 1."),
        ("b1", "a", one_of("a", "b2"), "unknown value 'b1'. Did you mean 'b2'?"),
        (float("nan"), 0.5, None, "it must be a finite number."),
        (float("inf"), 0.5, above(0), "it must be a finite number."),
        ("7", 7, at_least(1), "expected int, like the default 7."),
        (True, 7, None, "expected int"),
        (1.0, 7, None, "expected int"),
    ],
)
def test_what_is_wrong_is_said(value: Any, default: Any, limit: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_option("m", "x", value, default, limit)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_good_values_pass_and_integers_become_the_default_s_float() -> None:
    value = checked_option("m", "lr", 1, 0.5, above(0))
    assert value == 1.0
    assert isinstance(value, float)
    assert checked_option("m", "pool", "max", "avg", one_of("avg", "max")) == "max"
    assert checked_option("m", "anything", [1], None, None) == [1]


class Base:
    limits: ClassVar = {"lr": above(0), "epochs": at_least(1)}


class Derived(Base):
    limits: ClassVar = {"lr": at_least(0)}


def test_limits_of_base_classes_hold_until_they_are_stated_anew() -> None:
    assert limits_of(Derived) == {"lr": at_least(0), "epochs": at_least(1)}
