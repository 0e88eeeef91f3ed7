"""Published checkpoint layouts, one module each: recognise an inert tree, then map it into our modules."""

from __future__ import annotations

from typing import Any, Protocol

from ..inert import Budget
from . import lightning, persistence, plain_module, progan_state_dict, tf_network
from .weights import State, Weights

__all__ = ["LAYOUTS", "Layout", "State", "Weights", "recognise"]


class Layout(Protocol):
    """What a layout module offers."""

    NAME: str

    def read(self, tree: object, budget: Budget) -> Weights | None: ...

    def network(self, weights: Weights) -> tuple[dict[str, Any], State]: ...


_ALL: tuple[Layout, ...] = (persistence, plain_module, tf_network, lightning, progan_state_dict)

#: Layouts by name, in the order in which they are tried.
LAYOUTS: dict[str, Layout] = {layout.NAME: layout for layout in _ALL}


def recognise(tree: object, budget: Budget) -> Weights | None:
    """The generator in an inert tree, by the first layout that knows it; None if none does."""
    for layout in LAYOUTS.values():
        weights = layout.read(tree, budget)
        if weights is not None:
            return weights
    return None
