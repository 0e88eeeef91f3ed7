"""Rules against a literal transcription of what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from osbench.baselines.resynthesis.rules import Calibration, answers, rule_names

LABELS = np.array([0, 0, 0, 1, 2, 2])
KNOWN = np.random.default_rng(0).uniform(0.1, 1, (6, 3))
ASKED = np.random.default_rng(1).uniform(0.1, 1, (20, 3))


def test_every_class_counts_alike() -> None:
    found = Calibration.of(KNOWN, LABELS)
    for k in range(3):
        per_class = [KNOWN[c == LABELS, k] for c in range(3)]
        mean = np.mean([values.mean() for values in per_class])
        variance = np.mean([((values - mean) ** 2).mean() for values in per_class])
        assert found.mean[k] == pytest.approx(mean)
        assert found.std[k] == pytest.approx(variance**0.5)


def test_all_columns() -> None:
    known = Calibration.of(KNOWN, LABELS)
    found = answers({"nearest": ASKED, "mean": ASKED[::-1]}, {"nearest": known, "mean": known})
    assert tuple(found) == rule_names(several_draws=True)
    for i, row in enumerate(ASKED):
        z = [(d - m) / s for d, m, s in zip(row, known.mean, known.std, strict=True)]
        first, second, _ = sorted(row)
        for prefix, at in (("", i), ("mean-", len(ASKED) - 1 - i)):
            assert found[f"{prefix}distance"].known_score[at] == pytest.approx(-first)
            assert found[f"{prefix}gap"].known_score[at] == pytest.approx(second - first)
            assert found[f"{prefix}z-score"].known_score[at] == pytest.approx(-min(z))
            assert found[f"{prefix}z-score"].candidate[at] == int(np.argmin(z))
            for rule in ("distance", "gap"):
                assert found[prefix + rule].candidate[at] == int(np.argmin(row))
    for scores in found.values():
        np.testing.assert_allclose(scores.class_scores, -ASKED, rtol=1e-6)


def test_a_source_that_is_near_to_everything_is_no_favourite() -> None:
    distances = np.array([[0.1, 0.5], [0.1, 0.7], [0.1, 0.9], [0.11, 0.3]])
    known = Calibration(np.array([0.1, 0.7]), np.array([0.01, 0.1]))
    found = answers({"nearest": distances}, {"nearest": known})
    assert found["distance"].candidate.tolist() == [0, 0, 0, 0]
    assert found["z-score"].candidate.tolist() == [1, 0, 0, 1]


def test_sources_that_give_one_distance_for_all_do_not_divide_by_zero() -> None:
    same = np.full((4, 2), 0.5)
    known = Calibration.of(same, np.array([0, 0, 1, 1]))
    assert np.isfinite(answers({"nearest": same}, {"nearest": known})["z-score"].known_score).all()
