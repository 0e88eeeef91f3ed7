"""Files, folders, patterns and lists of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.picture_files import listed_files, picture_files
from osbench.core.errors import UsageError


def test_folders_and_patterns_become_their_pictures(tmp_path: Path) -> None:
    for name in ("b/10.png", "b/9.JPG", "b/deep/1.webp", "b/notes.txt", "b/.hidden.png", "c/x[1].tif", "d/readme"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    below = [tmp_path / name for name in ("b/9.JPG", "b/10.png", "b/deep/1.webp")]
    assert picture_files([tmp_path / "b"]) == below
    assert picture_files([tmp_path / "b/notes.txt", tmp_path / "b"]) == [tmp_path / "b/notes.txt", *below]
    assert picture_files([f"{tmp_path}/b/*.png"]) == [tmp_path / "b/10.png"]
    assert picture_files([f"{tmp_path}/**/*.webp"]) == [tmp_path / "b/deep/1.webp"]
    assert picture_files([f"{tmp_path}/[bd]"]) == [*below, tmp_path / "d"]
    assert picture_files([tmp_path / "c/x[1].tif"]) == [tmp_path / "c/x[1].tif"]


def test_what_names_nothing_stays_and_gets_an_answer_later(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = [tmp_path / "absent.png", tmp_path / "empty", tmp_path / "*.png"]
    assert picture_files(given) == given


def test_a_list_has_a_path_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\ufeffa.png\r\n\n  b c.jpg \n#1.png\n", encoding="utf-8")
    assert listed_files(tmp_path / "list.txt") == ["a.png", "b c.jpg", "#1.png"]
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no list of files"):
        listed_files(tmp_path / "list.txt")
