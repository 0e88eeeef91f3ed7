"""The rule that ranks is chosen on seen validation images, and by a stated order where these say nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osbench.benchmark.metrics import Outcome
from osbench.benchmark.primary_rule import LEAST_WRONG, Separation, primary_rule, separation_of


def validation(truth: list[int], candidate: list[int], score: list[float]) -> Outcome:
    n = len(truth)
    return Outcome(np.array(truth), np.full(n, -1), np.array(candidate), np.array(score), 2, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_separation_is_the_share_of_pairs(images: list[tuple[bool, int]]) -> None:
    truth = [0, 1, *[0] * len(images)]
    candidate = [0, 0, *[0 if right else 1 for right, _ in images]]
    score = [2.0, 1.0, *[float(value) for _, value in images]]
    found = separation_of([validation(truth, candidate, score)])
    right = [s for t, c, s in zip(truth, candidate, score, strict=True) if t == c]
    wrong = [s for t, c, s in zip(truth, candidate, score, strict=True) if t != c]
    pairs = [(a > b) + 0.5 * (a == b) for a in right for b in wrong]
    assert found.area == pytest.approx(sum(pairs) / len(pairs))
    assert (found.wrong, found.rejects) == (len(wrong), True)


def test_seeds_count_alike_and_one_without_an_error_says_nothing() -> None:
    one = validation([0, 1, 0, 1], [0, 1, 1, 0], [3, 3, 1, 3])
    other = validation([0, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 2])
    perfect = validation([0, 1], [0, 1], [1, 2])
    found = separation_of([one, other, perfect])
    assert found.area == pytest.approx((0.75 + 0.0) / 2)
    assert (found.wrong, found.rejects) == (3, True)
    alone = separation_of([perfect])
    assert math.isnan(alone.area)
    assert alone.wrong == 0
    assert not separation_of([validation([0, 1], [0, 0], [1, 1])]).rejects


def test_the_best_separation_leads() -> None:
    enough = LEAST_WRONG
    found = {
        "never": Separation(0.9, enough, False),
        "msp": Separation(0.7, enough, True),
        "energy": Separation(0.8, enough, True),
        "knn": Separation(0.8, enough, True),
    }
    assert primary_rule(found) == "energy", "of equals the first in the method's order"
    assert primary_rule(dict(reversed(found.items()))) == "knn"


def test_where_nothing_is_wrong_the_order_of_the_method_decides() -> None:
    found = {
        "never": Separation(0.5, 3, False),
        "centroid-sigma": Separation(0.6, LEAST_WRONG - 1, True),
        "msp": Separation(1.0, LEAST_WRONG + 9, True),
    }
    assert primary_rule(found) == "centroid-sigma"
    assert primary_rule({"never": found["never"]}) == "never", "a lone rule leads whatever it is"
