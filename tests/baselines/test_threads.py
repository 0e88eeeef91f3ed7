"""How many threads a method may use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = "import sys; from osbench.baselines.threads import thread_count; print(thread_count(), 'torch' in sys.modules)"


@pytest.mark.parametrize(
    ("given", "expected"), [("3", 3), ("", len(os.sched_getaffinity(0))), ("0", len(os.sched_getaffinity(0)))]
)
def test_without_torch_the_environment_or_the_cores_say(given: str, expected: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": given}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(expected), "False"]


def test_with_torch_it_is_what_torch_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from osbench.baselines.threads import thread_count

    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert thread_count() == 7
