from __future__ import annotations

import math

import pytest

from osbench.leaderboard.board import Board
from osbench.leaderboard.separation import separation_text

from .made_boards import interval, made_board, made_entry


def board(*rows: tuple[str, float]) -> Board:
    return made_board(*(made_entry(method, "msp", {"auc_af1_crr": interval(value)}) for method, value in rows))


@pytest.mark.parametrize(
    ("low", "high", "said", "unsaid"),
    [
        (0.5, 0.9, "not saturated, and separated", "less than"),
        (0.5, 0.98, "saturated (the best is not below 0.98)", "less than"),
        (0.9, 0.94, "not separated", "best is not below"),
        (0.97, 0.99, "saturated (the best is not below 0.98) and not separated", "and separated"),
    ],
)
def test_verdicts(low: float, high: float, said: str, unsaid: str) -> None:
    text = separation_text(board(("a", low), ("b", high)))
    assert said in text
    assert unsaid not in text
    assert f"{high:.3f} (b) to {low:.3f} (a)" in text


def test_a_method_counts_by_its_best_entry() -> None:
    assert "not separated" in separation_text(board(("a", 0.4), ("a", 0.9), ("b", 0.91), ("c", math.nan)))


def test_one_method_is_not_compared() -> None:
    assert "1 ranked method, nothing" in separation_text(board(("a", 0.9), ("a", 0.1)))
    assert "0 ranked methods" in separation_text(board(("a", math.nan)))
