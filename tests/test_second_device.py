"""The project's code on a pretended accelerator: starts the audits (``audit_*.py``) in processes of their own.

Registering a device lasts as long as its process and changes what torch tells everybody about accelerators.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import second_device

TESTS = Path(__file__).parent
AUDITS = sorted(str(path.relative_to(TESTS.parent)) for path in TESTS.rglob("audit_*.py"))


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not second_device.available(), reason=second_device.REASON)
@pytest.mark.parametrize("generation", [True, False], ids=["generation", "everything else"])
def test_audits(generation: bool, repository: Path, request: pytest.FixtureRequest) -> None:
    """The longer audits run where the longer tests do."""
    chosen = [path for path in AUDITS if path.startswith("tests/generation/") == generation]
    assert len(chosen) >= 3
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *chosen]
    command += ["-m", request.config.getoption("markexpr"), "--tb=short"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["OMP_NUM_THREADS"] = "1"
    result = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert " passed" in result.stdout


def test_this_process_stays_as_it_was() -> None:
    import torch

    assert not second_device._registered
    assert torch._C._get_privateuse1_backend_name() == "privateuseone"
