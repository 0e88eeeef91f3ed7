"""One small dataset and one run for all pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from osbench.benchmark import method

from .sandbox import Sandbox, Store, forget_examples


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    base = tmp_path_factory.getbasetemp()
    # Workers of pytest-xdist share the parent folder, and so what lies in the store.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Store(shared / "docs-store")


@pytest.fixture
def sandbox(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("OSBENCH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "page"
    folder.mkdir()
    yield Sandbox(folder, store, monkeypatch)
    # A page may register what lies in its folder; the next page starts without it.
    forget_examples()
    method._FILES.clear()
