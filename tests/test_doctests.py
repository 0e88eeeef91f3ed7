"""The examples in docstrings of ``core/``, ``benchmark/metrics/`` and ``benchmark/shots/`` give what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import osbench.benchmark.metrics
import osbench.benchmark.shots
import osbench.core

OPTIONS = doctest.IGNORE_EXCEPTION_DETAIL | doctest.NORMALIZE_WHITESPACE
MODULES = sorted(
    found.name
    for package in (osbench.core, osbench.benchmark.metrics, osbench.benchmark.shots)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert failed == 0


def test_there_are_examples() -> None:
    tried = [doctest.testmod(importlib.import_module(name), optionflags=OPTIONS).attempted for name in MODULES]
    assert sum(count > 0 for count in tried) >= 8
