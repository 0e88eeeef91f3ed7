"""Shared fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch

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


@pytest.fixture(scope="session")
def checkpoint_fixtures(repository: Path) -> Path:
    """The folder of upstream-shaped checkpoint files, which lies beside the repository; skips where it does not."""
    folder = repository.parent / "shared" / "fixtures" / "checkpoints"
    if not folder.is_dir():
        pytest.skip(f"no upstream-shaped checkpoint fixtures at {folder}")
    return folder
