"""Runs of schema 2 as they were first written: every later version reads them and finds the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osbench.benchmark.robustness.treatments import CLEAN
from osbench.benchmark.runs import Run, list_runs

GOLDEN = Path(__file__).parents[1] / "golden" / "runs-v2"
SCORES: dict[str, Any] = json.loads(GOLDEN.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def runs() -> dict[int, Run]:
    return {run.seed: run for run in list_runs(GOLDEN)}


@pytest.mark.parametrize("name", SCORES)
def test_the_numbers_are_those_of_the_day(name: str, runs: dict[int, Run]) -> None:
    seed, rule = name.removeprefix("seed").split("/")
    expected, score = SCORES[name], runs[int(seed)].score(rule, bootstrap=100).to_json()
    assert score["threshold"] == expected["threshold"]
    assert score["confusion"] == expected["confusion"]
    assert score["composition"] == expected["composition"]
    for metric, numbers in expected["metrics"].items():
        for key in ("estimate", "low", "high"):
            assert score["metrics"][metric][key] == pytest.approx(numbers[key], abs=1e-9), (metric, key)
    assert [row["quality"] for row in score["robustness"]] == [None, 50]
    for row, numbers in zip(score["robustness"], expected["robustness"], strict=True):
        assert row == pytest.approx(numbers, abs=1e-9)


def test_every_part_is_there(runs: dict[int, Run]) -> None:
    assert set(runs) == {0, 1}
    for run in runs.values():
        assert run.rules == ("native", "never", "second")
        predictions = run.predictions()
        assert set(predictions.other_candidate) == {"second"}
        assert len(predictions) == 32
        assert CLEAN in run.laundered()
        assert (run.model / "model.json").is_file()
