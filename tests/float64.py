"""The same network in float64: a reference on every processor, and the measure of what float32 may differ by.

Kernels differ from processor to processor by the order of their sums, which float32 shows and float64 does not. So a
formula is compared in float64, and float32 only has to be as near to that as its own rounding explains.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

import numpy as np
import torch

N = TypeVar("N", bound=torch.nn.Module)

EXACT = 1e-9
"""What two ways to the same float64 number may differ by, relative to the largest."""

_ROUNDINGS = 32
"""Roundings of every weight that a run may look like whose sums are made in that format: so long are they."""


@contextmanager
def computed_in_float64() -> Iterator[None]:
    """Whatever asks for float32 (``tensor.float()``) gets float64 meanwhile."""
    with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
        yield


def widened(network: N) -> N:
    """A copy of the network with float64 weights, also where it says its own dtype."""
    wide = copy.deepcopy(network).double()
    for module in wide.modules():
        if module.__dict__.get("dtype") == torch.float32:
            module.__dict__["dtype"] = torch.float64
    return wide


def in_float64(network: N, call: Callable[[N], Any]) -> np.ndarray:
    """What ``call(network)`` gives when the network computes in float64: an array, of a tensor or an array."""
    with computed_in_float64(), torch.no_grad():
        return _array(call(widened(network)))


def rounding_of(
    network: N, call: Callable[[N], Any], dtype: torch.dtype = torch.float32, roundings: int = _ROUNDINGS
) -> float:
    """How far a run in ``dtype`` may be from float64 anywhere in ``call(network)``.

    Such a run is the exact run of weights that differ by some roundings each (backward error). Both runs are of
    float64 here, so that the figure is the same on every processor.
    """
    reference, moved = in_float64(network, call), 0.0
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        wide = widened(network)
        with computed_in_float64(), torch.no_grad():
            for tensor in (*wide.parameters(), *wide.buffers()):
                if tensor.is_floating_point():
                    noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64) * 2 - 1
                    tensor.mul_(1 + noise * torch.finfo(dtype).eps)
            moved = max(moved, float(np.abs(_array(call(wide)) - reference).max()))
    return roundings * moved + float(np.abs(reference).max()) * torch.finfo(dtype).eps


def assert_equal_in_float64(found: Any, expected: Any) -> None:
    """Two ways to the same float64 numbers."""
    found, expected = _array(found), _array(expected)
    assert found.dtype == expected.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT * max(float(np.abs(expected).max()), 1e-3))


def assert_equal_but_for_rounding(network: N, call: Callable[[N], Any], expected: Any) -> None:
    """``call(network)`` in float64 is ``expected``, where one of both holds numbers that float32 has rounded once."""
    tolerance = rounding_of(network, call)
    np.testing.assert_allclose(in_float64(network, call), _array(expected), rtol=0, atol=tolerance)


def assert_float32_of(network: N, call: Callable[[N], Any]) -> None:
    """``call(network)`` is its float64 run but for the rounding of float32."""
    reference, tolerance = in_float64(network, call), rounding_of(network, call)
    with torch.no_grad():
        found = _array(call(network))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference, rtol=0, atol=tolerance)


def _array(value: Any) -> np.ndarray:
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
