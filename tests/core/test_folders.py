from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from osbench.core.folders import files_below


def test_all_regular_files_that_are_not_hidden(tmp_path: Path) -> None:
    for name in ("a", "b/c", "b/d/e", ".hidden", ".folder/f"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path))
    assert found == ["a", "b/c", "b/d/e", "link"]


def test_depth_is_no_limit(tmp_path: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("file").write_text("x")
    finally:
        os.chdir(here)
    try:
        assert [path.name for path in files_below(tmp_path)] == ["file"]
    finally:
        remove_deep(tmp_path / "d")


def remove_deep(folder: Path) -> None:
    """``shutil.rmtree`` recurses; this moves the rest up level by level."""
    while (folder / "d").exists():
        (folder / "d").rename(folder.with_name("next"))
        shutil.rmtree(folder)
        folder.with_name("next").rename(folder)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        list(files_below(tmp_path))
