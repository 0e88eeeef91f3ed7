"""Verdicts, a printed number beside a measured one, and the fits of a table side by side."""

import math

import pytest

from osbench.baselines.reproduction.experiment import Experiment, Trained, beside, verdict
from osbench.benchmark.manifest import build_manifest
from osbench.benchmark.metrics.intervals import Interval
from osbench.core.errors import RunError
from osbench.generation.generate import generate
from tests.benchmark.tiny_dataset import CROP, GENERATORS, METHOD_FILE, write_sources


def interval(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate, low, high, 0.95, "images", 100, 0)


@pytest.mark.parametrize(
    ("published", "low", "high", "expected"),
    [
        (0.1, 0.01, 0.2, "agrees"),
        (-0.1, -0.2, -0.01, "agrees"),
        (0.1, -0.2, -0.01, "contradicts"),
        (-0.1, 0.01, 0.2, "contradicts"),
        (0.1, -0.01, 0.2, "cannot tell"),
        (0.1, 0.0, 0.2, "cannot tell"),
        (0.0, 0.01, 0.2, "cannot tell"),
        (None, 0.01, 0.2, "cannot tell"),
        (0.1, math.nan, math.nan, "cannot tell"),
    ],
)
def test_a_verdict_compares_directions_only(published, low, high, expected):
    assert verdict(published, low, high) == expected


def test_difference_is_ours_minus_printed():
    found = beside(0.868, interval(0.7, 0.6, 0.8))
    assert found == {"published": 0.868, "reproduced": 0.7, "low": 0.6, "high": 0.8, "difference": -0.168}
    assert beside(None, interval(0.7, 0.6, 0.8))["difference"] is None
    assert beside(0.5, interval(math.nan, math.nan, math.nan)) == {
        "published": 0.5,
        "reproduced": None,
        "low": None,
        "high": None,
        "difference": None,
    }


def test_fits_side_by_side_give_the_same_entries_and_a_failed_one_is_named(tmp_path):
    data = generate(str(write_sources(tmp_path / "sources", GENERATORS, 20, CROP + 8)), tmp_path / "data")
    path = tmp_path / "method.py"
    path.write_text(METHOD_FILE.replace("nearest-colour", "nearest-colour-table"))
    trained = {bins: Trained(f"{bins} bins", str(path), "distance", {"bins": bins}) for bins in (4, 6)}
    manifest = build_manifest(data, "fang2023")
    found = Experiment(data, manifest, tmp_path / "two", seeds=2, jobs=2).entries(trained)
    expected = Experiment(data, manifest, tmp_path / "one", seeds=2).entries(trained)
    for key, entry in expected.items():
        assert [run.seed for run in found[key].runs] == [0, 1]
        assert [run.info.config for run in found[key].runs] == [run.info.config for run in entry.runs]
        assert found[key].thresholds == entry.thresholds

    wrong = trained | {"nan": Trained("nan", str(path), "distance", {"fail_at": "nan"})}
    with pytest.raises(
        RunError, match=r"^1 of 1 fits failed, first nearest-colour-table on fang2023, seed 0: .*finite"
    ):
        Experiment(data, manifest, tmp_path / "two", seeds=1, jobs=2).entries(wrong)
