"""Answers to laundered images: asked once, resumed cell by cell, checked when they are read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.frames import load_test_frames
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Method, Scores
from osbench.benchmark.robustness.asking import launder_runs
from osbench.benchmark.robustness.surface import LAUNDERED_FILE
from osbench.benchmark.robustness.treatments import CLEAN, Cell, Grid, launder
from osbench.benchmark.runs import Run, answers_to_test
from osbench.core.errors import DatasetError, RunError, UsageError
from osbench.generation.dataset import Dataset

GRID = Grid(quality=(None, 50), phase=(0,), resize=(1.0, 1.25), blur=(0.0,))
STRONG = Cell(quality=50, resize=1.25)


@pytest.fixture
def runs(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path) -> list[Run]:
    """Two seeds, each with two rejection rules."""
    return evaluate(method_file, dataset, manifest, seeds=[0, 1], out=tmp_path / "runs")


@pytest.fixture
def laundered(runs: list[Run], dataset: Dataset, manifest: Manifest) -> list[Run]:
    launder_runs(runs, dataset, manifest, GRID)
    return runs


def _count_predict(
    method_class: type[Method], monkeypatch: pytest.MonkeyPatch, stop_after: int | None = None
) -> list[int]:
    """Sizes of the batches that the method is asked about from now on; Ctrl-C after some of them."""
    predict: Callable[[Method, np.ndarray], dict[str, Scores]] = method_class.predict
    sizes: list[int] = []

    def counting(method: Method, images: np.ndarray) -> dict[str, Scores]:
        if len(sizes) == stop_after:
            raise KeyboardInterrupt
        sizes.append(len(images))
        return predict(method, images)

    monkeypatch.setattr(method_class, "predict", counting)
    return sizes


def test_every_rule_gets_the_answers_of_its_saved_model(
    laundered: list[Run], dataset: Dataset, manifest: Manifest, method_class: type[Method]
) -> None:
    pixels = np.stack([launder(f.decode(), f.crop, STRONG) for f in load_test_frames(dataset, manifest, 32)])
    for run in laundered:
        cells = run.laundered(manifest)
        assert list(cells) == GRID.cells()
        assert cells[STRONG].image_ids.tolist() == manifest.rows("test")["image_id"].tolist()
        for rule, again in method_class.load(run.model).predict(pixels).items():
            np.testing.assert_array_equal(cells[STRONG].scores(rule).known_score, again.known_score)
            np.testing.assert_array_equal(cells[STRONG].scores(rule).class_scores, again.class_scores)


def test_the_clean_cell_is_the_runs_own_answers(laundered: list[Run], manifest: Manifest) -> None:
    for run in laundered:
        own = answers_to_test(run.predictions(manifest), manifest)
        clean = run.laundered(manifest)[CLEAN]
        np.testing.assert_array_equal(clean.class_scores, own.class_scores)
        for rule in run.rules:
            np.testing.assert_array_equal(clean.known_score[rule], own.known_score[rule])


def test_a_fit_is_asked_once_per_cell_for_all_its_rules(
    runs: list[Run],
    dataset: Dataset,
    manifest: Manifest,
    method_class: type[Method],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = [(run.folder / "predictions.parquet").read_bytes() for run in runs]
    sizes = _count_predict(method_class, monkeypatch)
    launder_runs(runs, dataset, manifest, GRID)
    assert len(sizes) == 2 * (1 + 3)  # the model is checked, then every cell but the clean one
    launder_runs(runs, dataset, manifest, GRID)
    assert len(sizes) == 2 * (1 + 3)
    assert [(run.folder / "predictions.parquet").read_bytes() for run in runs] == before
    names = {"model", "predictions.parquet", "run.json", "laundered.parquet"}
    assert {path.name for path in runs[0].folder.iterdir()} == names


def test_an_interrupted_laundering_continues_with_the_next_cell(
    runs: list[Run],
    dataset: Dataset,
    manifest: Manifest,
    method_class: type[Method],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        _count_predict(method_class, patch, stop_after=2 + 3)  # both models are checked, then a cell and a half
        with pytest.raises(KeyboardInterrupt):
            launder_runs(runs, dataset, manifest, GRID)
    assert [run.laundered(manifest) for run in runs] == [{}, {}]
    sizes = _count_predict(method_class, monkeypatch)
    launder_runs(runs, dataset, manifest, GRID)
    assert len(sizes) == 2 + 2 * 2
    assert [len(run.laundered(manifest)) for run in runs] == [4, 4]
    # A run that lost its answers is asked again; the other one's file stays.
    (runs[1].folder / LAUNDERED_FILE).unlink()
    kept = (runs[0].folder / LAUNDERED_FILE).stat().st_mtime_ns
    launder_runs(runs, dataset, manifest, GRID)
    assert (runs[0].folder / LAUNDERED_FILE).stat().st_mtime_ns == kept
    assert len(runs[1].laundered(manifest)) == 4
    assert len(sizes) == 2 + 2 * 2 + 1 + 3


def test_further_cells_join_those_that_are_there(
    laundered: list[Run], dataset: Dataset, manifest: Manifest, method_class: type[Method], monkeypatch: Any
) -> None:
    before = laundered[0].laundered(manifest)
    sizes = _count_predict(method_class, monkeypatch)
    launder_runs(laundered, dataset, manifest, Grid(quality=(None, 50), phase=(0,), resize=(1.0,), blur=(0.0, 1.0)))
    assert len(sizes) == 2 * (1 + 2)
    after = laundered[0].laundered(manifest)
    assert len(after) == 6
    for cell, answers in before.items():
        np.testing.assert_array_equal(after[cell].known_score["distance"], answers.known_score["distance"])


def test_a_damaged_file_is_made_again(
    laundered: list[Run], dataset: Dataset, manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    path = laundered[0].folder / LAUNDERED_FILE
    data = path.read_bytes()
    path.write_bytes(data[:300])
    with pytest.raises(RunError, match="cut off") as caught:
        laundered[0].laundered(manifest)
    assert "\n" not in str(caught.value)
    launder_runs(laundered, dataset, manifest, GRID)
    assert caplog.text.count("damaged answers to laundered images are made again") == 1
    assert path.read_bytes() == data


def test_a_grid_that_no_run_could_keep(
    runs: list[Run], dataset: Dataset, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osbench.benchmark.robustness.asking.MAX_CELLS", 3)
    with pytest.raises(UsageError, match=r"4 cells of 20 test images .* give a smaller grid"):
        launder_runs(runs, dataset, manifest, GRID)


def test_cells_without_room_are_left_out_and_counted(runs: list[Run], dataset: Dataset, manifest: Manifest) -> None:
    left_out = launder_runs(runs, dataset, manifest, Grid(quality=(None,), resize=(1.0, 0.5), blur=(0.0,)))
    assert left_out[Cell(resize=0.5)] == left_out[Cell(resize=0.5, phase=4)] == len(manifest.rows("test"))
    assert set(runs[0].laundered(manifest)) == {CLEAN, Cell(phase=4)} - left_out.keys()


def test_a_model_that_changed_is_refused(
    runs: list[Run], dataset: Dataset, manifest: Manifest, method_class: type[Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = method_class.predict
    monkeypatch.setattr(method_class, "predict", lambda method, images: predict(method, 255 - images))
    with pytest.raises(RunError, match=r"0% of the answers that it published .*; method or images have changed"):
        launder_runs(runs, dataset, manifest, GRID)
    assert {p.name for p in runs[0].folder.iterdir()} == {"model", "predictions.parquet", "run.json"}


def test_a_run_without_a_model_cannot_be_laundered(runs: list[Run], dataset: Dataset, manifest: Manifest) -> None:
    for run in runs:
        shutil.rmtree(run.model)
    with pytest.raises(RunError, match="has no model/ folder"):
        launder_runs(runs, dataset, manifest, GRID)


def test_a_damaged_shard_is_a_one_line_error(runs: list[Run], own_dataset: Dataset, manifest: Manifest) -> None:
    shard = sorted((own_dataset.path / "shards").rglob("*.parquet"))[0]
    shard.write_bytes(shard.read_bytes()[:-50])
    with pytest.raises(DatasetError, match="is not a Parquet file, or it is cut off"):
        launder_runs(runs, own_dataset, manifest, GRID)
