"""What the page draws agrees with the metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import af1, auc_af1_crr
from osbench.leaderboard.curves import entry_curve, entry_histogram, is_normalised_distance
from osbench.leaderboard.entry import ScoredRun

from .synthetic_runs import Drawn, write_run

METHOD = Drawn("proposed", "native", 0.9, 2.0)
NEVER = Drawn("resnet50", "never", 0.9, 0.0, constant=True)


def _scored(drawn: Drawn, manifest: Manifest, folder: Path, seeds: int = 1) -> list[ScoredRun]:
    return [ScoredRun.of(write_run(folder, manifest, drawn, seed), manifest) for seed in range(seeds)]


def test_the_drawing_is_close_to_the_exact_area(manifest: Manifest, tmp_path: Path) -> None:
    runs = _scored(METHOD, manifest, tmp_path, seeds=3)
    curve = entry_curve(runs)
    exact = np.mean([auc_af1_crr(r.test) for r in runs])
    # The upper envelope of a staircase of 24 unseen images lies a little above the trapezoid.
    assert exact - 0.01 < np.trapezoid(curve["af1"], curve["crr"]) < exact + 0.05
    assert curve["crr"][0] == 0.0
    assert (curve["crr"][-1], curve["af1"][-1]) == (1.0, 0.0)
    assert all(low <= mean <= high for low, mean, high in zip(curve["low"], curve["af1"], curve["high"], strict=True))


def test_a_method_that_never_rejects_is_a_straight_line(manifest: Manifest, tmp_path: Path) -> None:
    runs = _scored(NEVER, manifest, tmp_path)
    curve = entry_curve(runs)
    start = af1(runs[0].test, -np.inf)
    assert curve["af1"] == pytest.approx([start * (1 - x) for x in curve["crr"]], abs=1e-5)
    assert "low" not in curve
    assert entry_histogram(runs[0], manifest) is None


def test_the_histogram_counts_every_test_image_once(manifest: Manifest, tmp_path: Path) -> None:
    scored = _scored(METHOD, manifest, tmp_path)[0]
    histogram = entry_histogram(scored, manifest)
    assert histogram is not None
    assert [g["generator"] for g in histogram["groups"]] == [*manifest.seen, *manifest.unseen]
    images = manifest.rows("test")["generator"].value_counts()
    for group in histogram["groups"]:
        assert sum(group["counts"]) == images[group["generator"]]
        assert group["openness"] == ("unseen" if group["generator"] in manifest.unseen else "seen")
    accepted = np.average(
        [g["accepted"] for g in histogram["groups"]], weights=[sum(g["counts"]) for g in histogram["groups"]]
    )
    assert accepted == pytest.approx(np.mean(scored.test.known_score >= scored.threshold))
    assert histogram["edges"][0] == 0.0
    assert histogram["edges"][0] < histogram["threshold"] < histogram["edges"][-1]
    assert np.all(np.diff(histogram["edges"]) > 0)


def test_only_distance_rules_are_called_distances() -> None:
    assert is_normalised_distance("proposed", "native")
    assert is_normalised_distance("resnet50", "centroid-sigma")
    assert not is_normalised_distance("resnet50", "msp")
    assert not is_normalised_distance("other", "native")
