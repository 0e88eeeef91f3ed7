"""What every layout delivers: a family, the file's own config and its tensors, still in the file's names."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pickle import UnpicklingError
from typing import Any

import numpy as np

from ..inert import Budget, InertObject, describe, mapping_of

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Weights:
    """The generator of one checkpoint file.

    Attributes
    ----------
    layout : str
        Name of the published layout that recognised it.
    family : str
        Registered family it belongs to.
    config : dict[str, Any]
        Constructor arguments as the file states them (JSON-able).
    tensors : State
        Every array, under the file's names.
    hints : dict[str, Any]
        Further facts of the file that the config leaves to defaults (JSON-able).
    warnings : tuple[str, ...]
        Remarks for people, one line each.
    """

    layout: str
    family: str
    config: dict[str, Any]
    tensors: State
    hints: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def json_ready(value: Any, budget: Budget, depth: int = 0) -> Any:
    """A pickled setting as JSON data: tuples become lists, NumPy numbers plain ones, objects a short description.

    UnpicklingError for settings that are nested too deeply, hold a giant integer or exceed the budget: what is
    referenced twice counts twice.
    """
    if depth > 16:
        raise UnpicklingError("settings that are nested too deeply")
    budget.step()
    if isinstance(value, str):
        budget.copy(len(value))
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and abs(value) >= 1 << 64:
        raise UnpicklingError("a setting that is a giant integer")
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list | tuple) and len(value) <= 4096:
        return [json_ready(item, budget, depth + 1) for item in value]
    if isinstance(value, dict) or (isinstance(value, InertObject) and value.items):
        content = mapping_of(value)
        budget.step(len(content))
        return {_setting(key, budget): json_ready(item, budget, depth + 1) for key, item in content.items()}
    return describe(value)


def _setting(key: object, budget: Budget) -> str:
    """The name of a setting: a text, a whole number, or what else it is in a few words."""
    if isinstance(key, int) and abs(key) < 1 << 31:
        return str(key)
    return budget.name(key) if isinstance(key, str) else describe(key)


class Consumed:
    """The tensors of a file, taken one by one by name; what nobody took is an error.

    ``take`` raises UnpicklingError on a missing tensor or one of another number of dimensions; ``finish`` on any
    tensor left over that was not declared unused.
    """

    def __init__(self, tensors: State) -> None:
        self._left = dict(tensors)
        self._all = tensors

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def take(self, name: str, dimensions: int | None = None) -> np.ndarray:
        if name not in self._left:
            raise UnpicklingError(f"no tensor {name}")
        array = self._left.pop(name)
        if dimensions is not None and array.ndim != dimensions:
            raise UnpicklingError(f"a tensor {name} of shape {array.shape} instead of {dimensions} dimensions")
        return array

    def ignore(self, *names: str) -> None:
        for name in names:
            self._left.pop(name, None)

    def finish(self) -> None:
        if self._left:
            raise UnpicklingError(f"an unexpected tensor {next(iter(self._left))[:80]}")


def oihw(weight: np.ndarray, flip: bool = False) -> np.ndarray:
    """A TensorFlow kernel (k, k, in, out) as (out, in, k, k), optionally rotated by 180 degrees."""
    weight = weight[::-1, ::-1] if flip else weight
    return np.ascontiguousarray(weight.transpose(3, 2, 0, 1))


def require(settings: dict[str, Any], supported: dict[str, tuple[Any, ...]]) -> None:
    """UnpicklingError if a setting that changes the function has a value outside the supported ones."""
    for name, values in supported.items():
        if name in settings and settings[name] not in values:
            raise UnpicklingError(f"a network with {name}={str(settings[name])[:40]}, which is not supported")


def sides(largest: int) -> list[int]:
    """8, 16, .. ``largest``; UnpicklingError unless it is a power of two from 8 to 4096."""
    if not isinstance(largest, int) or not 8 <= largest <= 4096 or largest & (largest - 1):
        raise UnpicklingError(f"a network of impossible side {str(largest)[:20]}")
    return [8 << i for i in range(largest.bit_length() - 3)]
