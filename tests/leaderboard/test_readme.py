"""The table in the README comes from a board and is replaced whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from osbench.benchmark.experiment import load_experiment
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


def test_only_the_rules_of_an_experiment_are_shown_and_the_others_counted() -> None:
    rules = load_experiment("mini").rules
    assert rules
    entries = [made_entry("m", rule, {}) for rule in (*rules, "vim", "knn")]
    text = board_markdown(made_board(*entries), rules)
    assert all(f"| m | {rule} |" in text for rule in rules)
    assert "vim" not in text
    assert "2 more entries" in text
    assert "| m | vim |" in board_markdown(made_board(*entries))


def test_a_method_with_none_of_the_rules_is_shown_all_the_same() -> None:
    entries = [made_entry("m", "never", {}), made_entry("m", "vim", {}), made_entry("other", "vim", {})]
    text = board_markdown(made_board(*entries), ["never"])
    assert "| other | vim |" in text
    assert "| m | vim |" not in text


def test_a_file_without_markers_is_refused_and_kept(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing")
    with pytest.raises(RunError, match="no lines"):
        update(_board(tmp_path / "b", 0.5), readme)
    assert readme.read_text() == "nothing"
