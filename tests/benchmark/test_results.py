from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from osbench.benchmark.experiment import Configuration, Difference, Experiment, Published
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import af1, bootstrap_intervals, crr_per_generator
from osbench.benchmark.orchestrator import ExperimentRuns, run_experiment
from osbench.benchmark.result import AGREES, BY_CONSTRUCTION, CANNOT_TELL, CONTRADICTS, Result
from osbench.benchmark.results import read_results, result_frame, result_of, verdict, write_results
from osbench.core.errors import RunError, UsageError
from osbench.generation.dataset import Dataset

PRINTED = {"fine": {"af1": 0.9, "crr": 0.6}, "coarse": {"af1": 0.4, "crr": 0.0}}
ARCHITECTURES = {"latent_diffusion": "Stable Diffusion"}


@pytest.fixture(scope="module")
def experiment(method_file: str) -> Experiment:
    return Experiment(
        {"fine": Configuration(method_file), "coarse": Configuration(method_file, {"bins": 2}, rules=("never",))},
        name="bins",
        title="Fine and coarse bins",
        seeds=2,
        rules=("distance",),
        columns=("auc_af1_crr", "af1", "f1", "crr_each"),
        compare=(Difference("fine", "coarse", ("af1", "crr")),),
        published=Published("A paper", "https://example.org", {"images_per_source": 10}, PRINTED),
        notes=("Bins are bins.",),
    )


@pytest.fixture(scope="module")
def found(
    experiment: Experiment, dataset: Dataset, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> ExperimentRuns:
    return run_experiment(experiment, dataset, [manifest], out=tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def result(experiment: Experiment, found: ExperimentRuns, manifest: Manifest) -> Result:
    return result_of(
        experiment, found.runs, manifest, ARCHITECTURES, "v1", left_out={"gone": "no weights"}, replicates=50
    )


def test_values_are_those_of_the_runs(result: Result, found: ExperimentRuns, manifest: Manifest) -> None:
    assert [(row.label, row.rule) for row in result.rows] == [("fine", "distance"), ("coarse", "never")]
    answers = [run.answers("distance", manifest) for run in found.runs["fine"]]
    tests, thresholds = [a.test for a in answers], [a.threshold() for a in answers]
    row = result.rows[0].values
    assert row["af1"].estimate == pytest.approx(
        sum(af1(test, cut) for test, cut in zip(tests, thresholds, strict=True)) / 2, abs=1e-6
    )
    assert row["af1"].published == 0.9
    expected = bootstrap_intervals(tests, thresholds, ["auc_af1_crr"], replicates=50)["auc_af1_crr"]
    assert row["auc_af1_crr"].low == pytest.approx(expected.low, abs=1e-6)
    rates = [crr_per_generator(test, cut) for test, cut in zip(tests, thresholds, strict=True)]
    for number, generator in enumerate(manifest.unseen):
        name = f"crr.{ARCHITECTURES.get(generator, generator)}"
        assert row[name].estimate == pytest.approx(sum(rate[number] for rate in rates) / 2, abs=1e-6)
    assert sum(name.startswith("f1.") for name in row) == len(manifest.seen)


def test_differences_stand_beside_the_printed_ones(result: Result) -> None:
    one, other = result.comparisons
    fine, coarse = (row.values["af1"].estimate for row in result.rows)
    assert one.difference == pytest.approx(fine - coarse, abs=2e-6)
    assert one.published == 0.5
    assert one.verdict == verdict(0.5, one.low, one.high)
    assert (other.metric, other.published) == ("crr", 0.6)
    assert other.low > 0
    assert other.verdict == BY_CONSTRUCTION, "the rule of the second row is never"


@pytest.mark.parametrize(
    ("published", "low", "high", "expected"),
    [
        (0.1, 0.01, 0.2, AGREES),
        (0.1, -0.2, -0.01, CONTRADICTS),
        (-0.1, -0.2, -0.01, AGREES),
        (0.1, -0.1, 0.2, CANNOT_TELL),
        (0.0, 0.1, 0.2, CANNOT_TELL),
        (None, 0.1, 0.2, CANNOT_TELL),
        (0.1, math.nan, math.nan, CANNOT_TELL),
    ],
)
def test_verdicts_compare_directions(published: float | None, low: float, high: float, expected: str) -> None:
    assert verdict(published, low, high) == expected


def test_what_is_written_is_read_again(result: Result, tmp_path: Path) -> None:
    data, page = write_results(tmp_path, [result])
    assert read_results(data).results == (result,)
    text = page.read_text()
    for part in ("## bins, on the suite", "Fine and coarse bins. [A paper](https://example.org).", "Bins are bins."):
        assert part in text
    assert "Left out: gone: no weights" in text
    assert "| fine, distance | published | - | 0.900 |" in text or "| fine | published | - | 0.900 |" in text
    assert "fine minus coarse | aF1 | +0.500 |" in text
    assert "| by construction |" in text
    frame = result_frame(result)
    assert set(frame["metric"]) >= {"auc_af1_crr", "af1"}
    assert len(frame) == sum(len(row.values) for row in result.rows)


def test_rows_that_were_not_asked_for_again_are_kept(result: Result, tmp_path: Path) -> None:
    data, _ = write_results(tmp_path, [result])
    part = replace(result, rows=result.rows[1:], comparisons=())
    write_results(tmp_path, [part])
    (kept,) = read_results(data).results
    assert kept.rows == result.rows
    assert kept.comparisons == result.comparisons
    with pytest.raises(RunError, match="rows that this one lacks \\(fine\\)"):
        write_results(tmp_path, [replace(part, seeds=5)])
    assert read_results(data).results == (kept,)
    write_results(tmp_path, [replace(part, experiment="other")])
    assert len(read_results(data).results) == 2


def test_a_damaged_file_is_not_overwritten(result: Result, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"schema_version": 1, "tables": []}')
    with pytest.raises(RunError, match=r"results\.json"):
        write_results(tmp_path, [result])
    assert "tables" in (tmp_path / "results.json").read_text()


def test_unknown_metrics_and_absent_runs_are_one_line(
    experiment: Experiment, found: ExperimentRuns, manifest: Manifest
) -> None:
    with pytest.raises(UsageError, match="Did you mean 'af1'"):
        result_of(replace(experiment, columns=("af11",)), found.runs, manifest, {}, "v1")
    with pytest.raises(RunError, match="no entry has a run"):
        result_of(experiment, {"fine": []}, manifest, {}, "v1")
