"""Shared fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch

from tests.fixtures.folder import CheckpointFixtures

# One thread a worker: pytest-xdist already fills the cores, and results do not depend on the thread count then.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
torch.set_num_threads(1)

# No deadlines: a busy machine is no defect. In CI the cases repeat, so that only a change can break it.
hypothesis.settings.register_profile("osbench", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("osbench")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", params=["own", "official"])
def checkpoint_fixtures(request: pytest.FixtureRequest, repository: Path) -> CheckpointFixtures:
    """Small files of the repository, and the official networks' own, which lie beside it where somebody has them."""
    if request.param == "own":
        return CheckpointFixtures(repository / "tests" / "fixtures" / "checkpoints")
    folder = repository.parent / "shared" / "fixtures" / "checkpoints"
    if not folder.is_dir():
        pytest.skip(f"no files of official networks at {folder}; those of the repository are tested")
    return CheckpointFixtures(folder)
