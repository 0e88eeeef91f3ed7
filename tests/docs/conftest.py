"""One small dataset and one run for all pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from osbench.benchmark import method
from osbench.generation.families import base

from .workshop import Store, Workshop


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    base = tmp_path_factory.getbasetemp()
    # Workers of pytest-xdist share the parent folder, and so what lies in the store.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Store(shared / "docs-store")


@pytest.fixture
def workshop(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    monkeypatch.setattr(base, "_FAMILIES", dict(base._FAMILIES))
    monkeypatch.setenv("OSBENCH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "page"
    folder.mkdir()
    yield Workshop(folder, store, monkeypatch)
    # A page may register a method from a file; the next page starts without it.
    registered = method._METHODS._items
    for name in [name for name, cls in registered.items() if not cls.__module__.startswith("osbench.")]:
        del registered[name]
