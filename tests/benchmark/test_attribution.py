"""How sure an answer is, in words."""

from __future__ import annotations

import pytest

from osbench.benchmark.attribution import WORDS, confidence_of


def test_every_answer_has_words() -> None:
    assert set(WORDS) == {(accepted, sure) for accepted in (True, False) for sure in ("high", "medium", "low")}


@pytest.mark.parametrize(
    ("percentile", "margin", "agreement", "refused", "expected"),
    [
        (0.5, 0.5, 1.0, 0.95, "high"),
        (0.5, 0.5, 1.0, float("nan"), "medium"),  # nobody knows how it meets strangers
        (0.5, 0.5, 1.0, 0.7, "medium"),
        (0.5, 0.5, 1.0, 0.3, "low"),
        (0.2, 0.5, 1.0, 0.95, "medium"),
        (0.5, 0.1, 1.0, 0.95, "medium"),
        (0.5, 0.5, 0.6, 0.95, "medium"),
        (0.07, 0.5, 1.0, 0.95, "low"),
        (0.5, 0.01, 1.0, 0.95, "low"),
        (0.5, 0.5, 0.4, 0.95, "low"),
    ],
)
def test_a_name_is_as_sure_as_its_weakest_reason(
    percentile: float, margin: float, agreement: float, refused: float, expected: str
) -> None:
    assert confidence_of(True, percentile, margin, agreement, refused) == expected


@pytest.mark.parametrize(("percentile", "expected"), [(0.0, "high"), (0.01, "medium"), (0.04, "low")])
def test_a_refusal_is_as_sure_as_it_is_far_away(percentile: float, expected: str) -> None:
    assert confidence_of(False, percentile, 0.5, 1.0, 0.1) == expected
