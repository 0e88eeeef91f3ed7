"""What a method's hyper-parameters may be, stated next to their defaults and checked before anything is trained::

defaults = {"lr": 1e-3, "batch_size": 32, "pool": "avg"}
limits = {"lr": above(0), "batch_size": at_least(1), "pool": one_of("avg", "max")}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError, unknown_name


@dataclass(frozen=True)
class Bounds:
    """A number between two ends.

    Attributes
    ----------
    low : float
        The smallest allowed number, or the one that it must be above.
    high : float
        The largest allowed number.
    above : bool
        Whether ``low`` itself is not allowed.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def fault(self, value: object) -> str | None:
        """What is wrong with a value; None if nothing is."""
        assert isinstance(value, int | float)
        if self.low <= value <= self.high and not (self.above and value == self.low):
            return None
        low = "" if self.low == -math.inf else f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        high = "" if self.high == math.inf else f"at most {self.high:g}"
        return f"it must be {' and '.join(part for part in (low, high) if part)}."


@dataclass(frozen=True)
class Choices:
    """One of some names.

    Attributes
    ----------
    names : Callable[[], Iterable[str]]
        Gives the names; asked when a value is checked.
    """

    names: Callable[[], Iterable[str]]

    def fault(self, value: object) -> str | None:
        """What is wrong with a value; None if nothing is."""
        known = list(self.names())
        return None if value in known else str(unknown_name("value", str(value), known))


Limit = Bounds | Choices


def at_least(low: float, at_most: float = math.inf) -> Bounds:
    """Numbers from ``low`` on, perhaps up to ``at_most``."""
    return Bounds(low, at_most)


def above(low: float, at_most: float = math.inf) -> Bounds:
    """Numbers larger than ``low``, perhaps up to ``at_most``."""
    return Bounds(low, at_most, above=True)


def one_of(*names: str) -> Choices:
    """One of these names."""
    return Choices(lambda: names)


def checked_option(method: str, key: str, value: Any, default: Any, limit: Limit | None) -> Any:
    """The value of an option, as the type of its default; UsageError if it has another type or is out of its limit.

    An integer is taken where the default is a float. A number must be finite whether it has a limit or not.
    """
    where = f"option {key}={value} of method {method}"
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if default is not None and type(value) is not type(default):
        raise UsageError(f"{where}: expected {type(default).__name__}, like the default {default!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where}: it must be a finite number.")
    fault = limit.fault(value) if limit is not None else None
    if fault is not None:
        raise UsageError(f"{where}: {fault}")
    return value


def limits_of(cls: type) -> Mapping[str, Limit]:
    """The limits that a class and its bases state in ``limits``; the nearest one counts."""
    found: dict[str, Limit] = {}
    for base in reversed(cls.__mro__):
        found |= base.__dict__.get("limits", {})
    return found
