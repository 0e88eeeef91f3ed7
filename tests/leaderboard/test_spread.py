from __future__ import annotations

from typing import Any

import pytest

from osbench.leaderboard.spread import spread_text


def board(*rows: tuple[str, float | None]) -> dict[str, Any]:
    entries = [{"method": method, "metrics": {"auc": {"mean": value}}} for method, value in rows]
    return {"primary": "auc", "entries": entries}


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
    text = spread_text(board(("a", low), ("b", high)))
    assert said in text
    assert unsaid not in text
    assert f"{high:.3f} (b) to {low:.3f} (a)" in text


def test_a_method_counts_by_its_best_entry() -> None:
    assert "not separated" in spread_text(board(("a", 0.4), ("a", 0.9), ("b", 0.91), ("c", None)))


def test_one_method_is_not_compared() -> None:
    assert "1 ranked method, nothing" in spread_text(board(("a", 0.9), ("a", 0.1)))
    assert "0 ranked methods" in spread_text(board(("a", None)))
