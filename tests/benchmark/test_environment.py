from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from osbench.benchmark import environment
from osbench.benchmark.run_info import Git


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_versions_and_hardware_are_recorded() -> None:
    versions = environment.library_versions()
    assert {"python", "torch", "numpy", "pillow", "scikit-learn"} <= versions.keys()
    assert versions["torch"] == torch.__version__
    hardware = environment.hardware("cpu")
    assert hardware.device == "cpu"
    assert isinstance(hardware.cores, int)


def test_revision_and_dirty_flag_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "environment.py"
    module.write_text("x = 1\n")
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(environment, "__file__", str(module))
    # Inside a repository, but not part of it: an environment in somebody's project is no checkout.
    assert environment.git_revision() is None
    git(tmp_path, "add", "environment.py")
    git(tmp_path, "commit", "-qm", "one")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    assert environment.git_revision() == Git(head, dirty=False)
    (tmp_path / "notes.txt").write_text("a stray file")
    assert environment.git_revision() == Git(head, dirty=False)
    (tmp_path / "more.py").write_text("y = 3\n")
    assert environment.git_revision() == Git(head, dirty=True)
    (tmp_path / "more.py").unlink()
    module.write_text("x = 2\n")
    assert environment.git_revision() == Git(head, dirty=True)


def test_no_git_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert environment.git_revision() is None
