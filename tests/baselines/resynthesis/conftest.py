"""The tiny suite, with a cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from .tiny_suite import write_suite


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
