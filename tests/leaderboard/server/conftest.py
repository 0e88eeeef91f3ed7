"""A server over a folder of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from osbench.benchmark.manifest import Manifest
from osbench.generation.dataset import Dataset

from .served import Server


@pytest.fixture(scope="session")
def manifest_file(dataset: Dataset, manifest: Manifest) -> Path:
    """The manifest of the drawn data set, as a file."""
    return dataset.path / "manifests" / "fang2023.parquet"


@pytest.fixture
def serve(tmp_path: Path, manifest_file: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers over folders of this test; all of them are stopped after it."""
    begun: list[Server] = []

    def start(*options: str, **more: object) -> Server:
        server = Server(tmp_path / f"board{len(begun)}", manifest_file, options, **more)  # type: ignore[arg-type]
        begun.append(server)
        server.start()
        return server

    try:
        yield start
    finally:
        for server in begun:
            server.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, manifest_file: Path) -> Iterator[Server]:
    """One server for the tests of a module."""
    made = Server(
        tmp_path_factory.mktemp("served") / "board", manifest_file, ("--per-day", "1000", "--per-minute", "1000")
    )
    try:
        made.start()
        yield made
    finally:
        made.end()
