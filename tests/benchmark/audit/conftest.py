"""A dataset whose generators differ in their traces alone, and its audit, made once."""

from __future__ import annotations

import pytest

from osbench.benchmark.audit import audit_dataset
from osbench.generation.audit_record import Audit
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from tests.benchmark.matched_folders import write_matched


@pytest.fixture(scope="session")
def matched(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """5 generators x 3 weights x 40 scenes, crops of 48 px. Shared: do not change its files."""
    folder = tmp_path_factory.mktemp("matched")
    return generate(write_matched(folder / "sources"), folder / "data")


@pytest.fixture(scope="session")
def audit(matched: Dataset) -> Audit:
    return audit_dataset(matched)
