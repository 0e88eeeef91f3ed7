"""``make release`` refuses what must not be released, and otherwise builds a sound package and changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FILES = (".ci/release", ".gitignore", "CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml")


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def release(folder: Path, push: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "PUSH": push, "GIT_CONFIG_GLOBAL": os.devnull}
    environment |= {f"GIT_{who}_{what}": "nobody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run([".ci/release"], cwd=folder, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def tree(repository: Path, tmp_path: Path) -> Path:
    """A committed tree with an empty package, whose changelog has a dated section for its version."""
    folder = tmp_path / "tree"
    (folder / ".ci").mkdir(parents=True)
    for name in FILES:
        shutil.copy(repository / name, folder / name)
    (folder / "osbench").mkdir()
    (folder / "osbench" / "__init__.py").write_text('"""Nothing."""\n')
    changelog = folder / "CHANGELOG.md"
    changelog.write_text(changelog.read_text("utf-8").replace("(unreleased)", "(2026-12-01)"))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "all")
    return folder


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new))


def commit(tree: Path, name: str, old: str, new: str) -> None:
    replace(tree / name, old, new)
    git(tree, "commit", "-qam", "change")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("CHANGELOG.md", "## 0.1.0", "## 0.0.9", "no section '## 0.1.0'"),
        ("CHANGELOG.md", "(2026-12-01)", "(unreleased)", "calls 0.1.0 unreleased"),
        ("CITATION.cff", "version: 0.1.0", "version: 0.2.0", "CITATION.cff has another version"),
        ("pyproject.toml", 'version = "0.1.0"', 'version = "0.10"', "no section '## 0.10'"),
    ],
)
def test_versions_must_agree(tree: Path, name: str, old: str, new: str, message: str) -> None:
    commit(tree, name, old, new)
    done = release(tree)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tree / "build").exists()


def test_a_changed_tree_and_a_tag_that_exists_are_refused(tree: Path) -> None:
    (tree / "more.txt").touch()
    assert "the tree has changes" in release(tree).stderr
    (tree / "more.txt").unlink()
    git(tree, "tag", "v0.1.0")
    assert "tag v0.1.0 exists" in release(tree).stderr
    assert not (tree / "build").exists()


def test_a_release_is_built_and_only_push_makes_its_tag(tree: Path, tmp_path: Path) -> None:
    done = release(tree)
    assert done.returncode == 0, done.stderr
    built = sorted(path.name for path in (tree / "build" / "release").iterdir())
    assert built == ["osbench-0.1.0-py3-none-any.whl", "osbench-0.1.0.tar.gz"]
    assert git(tree, "tag") == ""
    shutil.rmtree(tree / "osbench.egg-info", ignore_errors=True)
    git(tmp_path, "init", "-q", "--bare", "remote")
    git(tree, "remote", "add", "origin", str(tmp_path / "remote"))
    pushed = release(tree, push="1")
    assert pushed.returncode == 0, pushed.stderr
    assert git(tmp_path / "remote", "tag").split() == ["v0.1.0"]
