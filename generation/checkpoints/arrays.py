"""NumPy arrays out of a pickle, rebuilt by our own bounds-checked code (never by NumPy's ``__setstate__``)."""

from __future__ import annotations

import math
import re
from pickle import UnpicklingError
from typing import Any

import numpy as np

_NUMERIC = re.compile(r"^[<>|=]?([biufc])(\d{1,2})$")


class DType:
    """A numeric dtype; ``BUILD`` may set its byte order and nothing else."""

    __slots__ = ("code", "order")

    def __init__(self, text: object) -> None:
        match = _NUMERIC.match(text) if isinstance(text, str) else None
        if match is None:
            shown = text[:20] if isinstance(text, str) else type(text).__name__
            raise UnpicklingError(f"an array of dtype {shown!r}; only numbers are read")
        self.code = match[1] + match[2]
        self.order = text[0] if isinstance(text, str) and text[0] in "<>" else "<"

    def build(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise UnpicklingError("a dtype with an unknown state")
        if any(item not in (None, -1, 0, "", ()) for item in state[2:8]):
            raise UnpicklingError("a dtype with fields")
        self.order = ">" if state[1] == ">" else "<"

    @property
    def numpy(self) -> np.dtype[Any]:
        try:
            return np.dtype(self.order + self.code)
        except TypeError as error:
            raise UnpicklingError(f"an array of dtype {self.code!r}") from error


class Array:
    """An array whose content arrives by ``BUILD``; ``value()`` is its array, a read-only view of the file's bytes."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value: np.ndarray | None = None

    def build(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], DType):
            raise UnpicklingError("an array with an unknown state")
        _, shape, dtype, fortran, data = state
        self._value = shaped(data, dtype, shape, bool(fortran))

    def value(self) -> np.ndarray:
        if self._value is None:
            raise UnpicklingError("an array without content")
        return self._value


def shaped(data: object, dtype: DType, shape: object, fortran: bool) -> np.ndarray:
    """The bytes as an array of this shape; UnpicklingError unless their number fits exactly."""
    if isinstance(data, str):  # pickles written by Python 2 hold bytes as text
        data = data.encode("latin1")
    if not isinstance(data, bytes | memoryview):
        raise UnpicklingError("array data that is not bytes")
    if not isinstance(shape, tuple) or len(shape) > 32 or any(type(n) is not int or n < 0 for n in shape):
        raise UnpicklingError("an array with an impossible shape")
    kind = dtype.numpy
    if math.prod(shape) * kind.itemsize != len(data) or max(shape, default=0) > max(len(data), 2**31):
        raise UnpicklingError(f"an array of {len(data)} bytes that declares another size")
    return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")


def scalar(dtype: object, data: object = b"") -> Any:
    """One NumPy number."""
    if not isinstance(dtype, DType):
        raise UnpicklingError("a scalar without a numeric dtype")
    return shaped(data, dtype, (), False)[()]


def from_buffer(data: object, dtype: object, shape: object, order: object = "C") -> Array:
    """An array in the form of pickle protocol 5."""
    if not isinstance(dtype, DType):
        raise UnpicklingError("an array without a numeric dtype")
    array = Array()
    array._value = shaped(data, dtype, shape, order == "F")
    return array
