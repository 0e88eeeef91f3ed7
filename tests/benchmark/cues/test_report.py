from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.cues import cue_report, cue_text
from osbench.benchmark.cues.report import CueReport, OfWeights
from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.runs import Run
from osbench.cli import main
from osbench.core.errors import RunError
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from tests.benchmark.matched_folders import write_matched


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of a method that knows colours alone."""
    (run,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("cues") / "runs")
    return run


@pytest.fixture(scope="module")
def report(run: Run, dataset: Dataset) -> CueReport:
    return cue_report(run, dataset)


def test_a_method_of_colours_follows_the_low_part(report: CueReport) -> None:
    for row in report.conflicts:
        assert row.low > 0.9
        assert row.low + row.high + row.other == pytest.approx(1)


def test_it_does_not_mind_a_turn_and_is_lost_without_colours(report: CueReport) -> None:
    rows = {row.name: row for row in report.treatments}
    assert rows["as they are"].unchanged == 1
    assert rows["as they are"].accuracy > 0.9
    for name in ("mirrored", "upside down", "quarter turn"):
        assert rows[name].accuracy == rows["as they are"].accuracy
        assert rows[name].unchanged == 1
    assert rows["colours swapped"].accuracy < 0.5
    assert rows["grey"].unchanged < 0.8


def test_the_first_row_is_what_the_run_says(report: CueReport, run: Run, manifest: Manifest) -> None:
    score = run.score(bootstrap=2, manifest=manifest)
    first = report.treatments[0]
    assert first.accuracy == pytest.approx(score.accuracy.estimate)
    assert report.images == sum(sum(row) for row in score.confusion.counts[:3])
    accepted = 1 - np.sum([row[-1] for row in score.confusion.counts[:3]]) / report.images
    assert first.accepted == pytest.approx(accepted)


def test_what_cannot_be_asked_is_named(report: CueReport) -> None:
    assert (report.weights, report.noise) == ((), ())
    assert any(note.startswith("weights: the data set has one file") for note in report.notes)
    assert any(note.startswith("noise: unknown suite 'tiny'") for note in report.notes) or not report.notes[1:]


def test_the_report_as_text_and_as_json(report: CueReport, run: Run, dataset: Dataset, method_file: str) -> None:
    from click.testing import CliRunner

    text = cue_text(report)
    assert "hybrids cut at" in text
    assert f"{report.treatments[0].accuracy:.3f}" in text
    arguments = ["audit", str(dataset.path), "--run", str(run.folder), "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads(json.dumps(report.to_json()))


def test_weights_that_were_trained_on_and_the_third_show_the_same_pictures(tmp_path: Path, method_file: str) -> None:
    data = generate(write_matched(tmp_path / "sources", scenes=12), tmp_path / "data")
    manifest = build_manifest(data, "cross-weights", "w1")
    (run,) = evaluate(method_file, data, manifest, seeds=[0], out=tmp_path / "runs")
    rows = cue_report(run, data).weights
    assert [(row.weights, row.trained) for row in rows] == [("w0", True), ("w1", False), ("w2", True)]
    tested = len(manifest.rows("test")[manifest.rows("test")["openness"] == "seen"])
    assert {row.images for row in rows} == {tested}
    (held_out,) = [row for row in rows if not row.trained]
    assert held_out.accuracy == pytest.approx(run.score(bootstrap=2, manifest=manifest).accuracy.estimate)
    assert isinstance(rows[0], OfWeights)


def test_a_run_without_a_model_in_one_line(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    shutil.copytree(run.folder.parents[1], tmp_path / "runs")
    copy = Run.open(tmp_path / "runs" / run.folder.relative_to(run.folder.parents[1]))
    shutil.rmtree(copy.model)
    with pytest.raises(RunError, match="has no model/ folder"):
        cue_report(copy, dataset)
