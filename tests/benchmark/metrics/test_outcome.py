"""Outcome: what is accepted, and what is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from osbench.benchmark.metrics import Outcome
from osbench.core.errors import RunError

from .reference import outcomes

GOOD = {
    "truth": np.array([0, 1, -1]),
    "unseen_group": np.array([-1, -1, 0]),
    "candidate": np.array([0, 1, 1]),
    "known_score": np.array([0.5, 0.25, 0.0]),
    "n_classes": 2,
    "n_unseen": 1,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"known_score": np.array([0.5, np.nan, 0.0])}, "known_score of row 1 is nan"),
        ({"known_score": np.array([0.5, 0.25, -np.inf])}, "known_score of row 2 is -inf"),
        ({"known_score": np.array([0.5, 0.25])}, "arrays of one length"),
        ({"known_score": np.zeros((3, 1))}, "shape"),
        ({"truth": np.array([0, 2, -1])}, "truth of row 1 is 2; it must lie in -1..1"),
        ({"truth": np.array([0.0, 1.0, -1.0])}, "integer"),
        ({"truth": np.array([], int)}, "at least one integer"),
        ({"truth": np.array([0, 0, -1])}, "seen class 1 has no image"),
        ({"unseen_group": np.array([-1, -1, -1])}, "row 2 must be"),
        ({"unseen_group": np.array([-1, 0, 0])}, "row 1 must be"),
        ({"n_unseen": 2}, "unseen generator 1 has no image"),
        ({"candidate": np.array([0, 1, -1])}, "candidate of row 2 is -1"),
        ({"n_classes": 0}, "n_classes >= 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(change: dict, message: str) -> None:
    with pytest.raises(RunError) as caught:
        Outcome(**{**GOOD, **change})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arrays_are_copies_that_nobody_can_change() -> None:
    score = GOOD["known_score"].astype(np.float32)
    outcome = Outcome(**{**GOOD, "known_score": score})
    score[0] = 9
    assert outcome.known_score[0] == 0.5
    assert outcome.known_score.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        outcome.truth[0] = 1


@given(outcomes())
def test_ranking_is_what_numpy_unique_gives(outcome: Outcome) -> None:
    scores, rank = outcome.ranking
    expected, inverse = np.unique(outcome.known_score, return_inverse=True)
    assert np.array_equal(scores, expected)
    assert np.array_equal(rank, inverse)


def test_strata_are_the_generators_and_take_resamples() -> None:
    outcome = Outcome(**GOOD)
    assert [rows.tolist() for rows in outcome.strata()] == [[0], [1], [2]]
    again = outcome.take(np.array([2, 1, 0, 2]))
    assert again.truth.tolist() == [-1, 1, 0, -1]
    assert again.ranking[0].tolist() == [0.0, 0.25, 0.5]
