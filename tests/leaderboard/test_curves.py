"""What the page draws agrees with the metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.answers import Answers
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import af1, auc_af1_crr
from osbench.leaderboard.curves import entry_curve, entry_histogram

from .synthetic_runs import Drawn, write_run

METHOD = Drawn("proposed", 0.9, {"native": 2.0})
NEVER = Drawn("resnet50", 0.9, {"never": None})


def _answers(drawn: Drawn, manifest: Manifest, folder: Path, seeds: int = 1) -> list[Answers]:
    return [write_run(folder, manifest, drawn, seed).answers(manifest=manifest) for seed in range(seeds)]


def test_the_drawing_is_close_to_the_exact_area(manifest: Manifest, tmp_path: Path) -> None:
    tests = [answers.test for answers in _answers(METHOD, manifest, tmp_path, seeds=3)]
    curve = entry_curve(tests)
    exact = np.mean([auc_af1_crr(test) for test in tests])
    # The upper envelope of a staircase of 24 unseen images lies a little above the trapezoid.
    assert exact - 0.01 < np.trapezoid(curve.af1, curve.crr) < exact + 0.05
    assert curve.crr[0] == 0.0
    assert (curve.crr[-1], curve.af1[-1]) == (1.0, 0.0)
    assert all(low <= mean <= high for low, mean, high in zip(curve.low, curve.af1, curve.high, strict=True))


def test_a_method_that_never_rejects_is_a_straight_line(manifest: Manifest, tmp_path: Path) -> None:
    (answers,) = _answers(NEVER, manifest, tmp_path)
    curve = entry_curve([answers.test])
    start = af1(answers.test, -np.inf)
    assert curve.af1 == pytest.approx([start * (1 - x) for x in curve.crr], abs=1e-5)
    assert curve.low == ()
    assert entry_histogram(answers, answers.threshold()) is None


def test_the_histogram_counts_every_test_image_once(manifest: Manifest, tmp_path: Path) -> None:
    (answers,) = _answers(METHOD, manifest, tmp_path)
    histogram = entry_histogram(answers, answers.threshold())
    assert histogram is not None
    assert [group.generator for group in histogram.groups] == [*manifest.seen, *manifest.unseen]
    images = manifest.rows("test")["generator"].value_counts()
    for group in histogram.groups:
        assert sum(group.counts) == images[group.generator]
        assert group.openness == ("unseen" if group.generator in manifest.unseen else "seen")
    accepted = np.average([g.accepted for g in histogram.groups], weights=[sum(g.counts) for g in histogram.groups])
    assert accepted == pytest.approx(np.mean(answers.test.known_score >= answers.threshold()))
    assert histogram.edges[0] < histogram.threshold < histogram.edges[-1]
    assert np.all(np.diff(histogram.edges) > 0)


def test_only_the_axis_of_a_distance_begins_at_zero(manifest: Manifest, tmp_path: Path) -> None:
    (distance,) = _answers(METHOD, manifest, tmp_path / "a")
    (other,) = _answers(Drawn("dct-cnn", 0.9, {"msp": 2.0}), manifest, tmp_path / "b")
    found = [entry_histogram(answers, answers.threshold()) for answers in (distance, other)]
    assert [histogram.edges[0] == 0 for histogram in found if histogram] == [True, False]
