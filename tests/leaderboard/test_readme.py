"""The table in the README comes from a board and is replaced whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.core.errors import RunError
from osbench.leaderboard.readme import BEGIN, END, board_markdown, update

from .made_boards import interval, made_board, made_entry


def _board(folder: Path, auc: float) -> Path:
    entry = made_entry("m", "never", {"auc_af1_crr": interval(auc, auc - 0.1)}, variant="lr=1")
    made_board(entry).save(folder)
    return folder


def test_the_table_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    update(_board(tmp_path / "b", 0.5), readme)
    first = readme.read_text()
    assert "| m | never (lr=1) | 2 | 0.500 | - | - | - | - |" in first
    assert "old" not in first
    assert first.startswith("before\n")
    assert first.endswith("\nafter\n")
    update(_board(tmp_path / "b", 0.25), readme)
    assert "0.500" not in readme.read_text()


def test_only_rules_chosen_beforehand_are_shown_and_the_others_counted() -> None:
    entries = [made_entry("m", rule, {}) for rule in ("never", "vim", "native", "knn")]
    text = board_markdown(made_board(*entries))
    assert "| m | never |" in text
    assert "| m | native |" in text
    assert "vim" not in text
    assert "2 more entries" in text


def test_a_file_without_markers_is_refused_and_kept(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing")
    with pytest.raises(RunError, match="no lines"):
        update(_board(tmp_path / "b", 0.5), readme)
    assert readme.read_text() == "nothing"
