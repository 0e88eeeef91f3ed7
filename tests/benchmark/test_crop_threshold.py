"""A threshold for many crops accepts as many seen pictures as the one for a single crop."""

from __future__ import annotations

import numpy as np
import pytest

from osbench.benchmark.crop_threshold import CORRELATION, Calibration


def pictures(rng: np.random.Generator, count: int, crops: int) -> np.ndarray:
    """Known scores (count, crops) of crops that are correlated by CORRELATION; mean 3, standard deviation 2."""
    common = rng.normal(size=(count, 1)) * np.sqrt(CORRELATION)
    own = rng.normal(size=(count, crops)) * np.sqrt(1 - CORRELATION)
    return 3 + 2 * (common + own)


def calibration(rng: np.random.Generator) -> Calibration:
    known = pictures(rng, 20_000, 1)[:, 0]
    return Calibration(float(np.quantile(known, 0.05)), known, np.zeros(len(known), np.int64), np.arange(10.0))


@pytest.mark.parametrize("crops", [1, 2, 4, 16])
def test_seen_pictures_are_accepted_as_often_whatever_the_number_of_crops(crops: int) -> None:
    rng = np.random.default_rng(0)
    scale = calibration(rng)
    known = pictures(rng, 20_000, crops).mean(axis=1)
    assert (known >= scale.threshold_for(0, crops)).mean() == pytest.approx(0.95, abs=0.01)
    shares = [scale.percentile(0, float(score), crops) for score in known[:500]]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.04)


def test_the_threshold_of_one_crop_is_left_as_it_is() -> None:
    scale = calibration(np.random.default_rng(1))
    assert scale.threshold_for(0, 1) == scale.threshold
    steps = [scale.threshold_for(0, crops) for crops in (1, 2, 4, 9, 16)]
    assert steps == sorted(steps)
    assert steps[-1] < scale.usual(0)


def test_a_class_with_too_few_pictures_takes_the_mean_of_all() -> None:
    known = np.arange(20.0)
    scale = Calibration(1.0, known, np.array([0] * 17 + [1] * 3), np.array([]))
    assert scale.usual(0) == 8.0
    assert scale.usual(1) == scale.usual(7) == 9.5
    assert scale.margin_percentile(1.0) == 0.0


def test_margins_lie_on_the_scale_of_rightly_named_pictures() -> None:
    scale = calibration(np.random.default_rng(2))
    assert [scale.margin_percentile(value) for value in (-1.0, 5.0, 99.0)] == [0.0, 0.5, 1.0]
