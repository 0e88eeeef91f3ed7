"""Answers to laundered images: asked once, resumed cell by cell, checked when they are read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.frames import load_test_frames
from osbench.benchmark.laundered import LAUNDERED_FOLDER, cell_file, launder_runs, laundered_cells, read_laundered
from osbench.benchmark.laundering import CLEAN, Cell, Grid, launder
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Method, Scores
from osbench.benchmark.runs import Run
from osbench.core.errors import DatasetError, RunError
from osbench.generation.dataset import Dataset

GRID = Grid(quality=(None, 50), phase=(0,), resize=(1.0, 1.25), blur=(0.0,))
STRONG = Cell(quality=50, resize=1.25)


@pytest.fixture
def runs(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path) -> list[Run]:
    """Two rejection rules of one fit."""
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path / "runs")


@pytest.fixture
def laundered(runs: list[Run], dataset: Dataset, manifest: Manifest) -> list[Run]:
    launder_runs(runs, dataset, manifest, GRID)
    return runs


def _times(run: Run) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (run.folder / LAUNDERED_FOLDER).iterdir()}


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
    again = method_class.load(laundered[0].model).predict(pixels)
    for run in laundered:
        assert set(laundered_cells(run)) == set(GRID.cells())
        answers = read_laundered(run, STRONG, manifest)
        assert answers.image_ids.tolist() == manifest.rows("test")["image_id"].tolist()
        np.testing.assert_array_equal(answers.scores.known_score, again[run.rejection].known_score)
        np.testing.assert_array_equal(answers.scores.class_scores, again[run.rejection].class_scores)


def test_the_clean_cell_is_the_runs_own_answers(laundered: list[Run], manifest: Manifest) -> None:
    is_test = (manifest.rows("val", "test")["split"] == "test").to_numpy()
    for run in laundered:
        own = run.predictions(manifest).take(is_test)
        clean = read_laundered(run, CLEAN, manifest)
        np.testing.assert_array_equal(clean.scores.class_scores, own.scores.class_scores)
        np.testing.assert_array_equal(clean.scores.known_score, own.scores.known_score)


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
    assert len(sizes) == 1 + 3  # the model is checked, then every cell but the clean one
    launder_runs(runs, dataset, manifest, GRID)
    assert len(sizes) == 4
    assert [(run.folder / "predictions.parquet").read_bytes() for run in runs] == before


def test_an_interrupted_laundering_continues_with_the_next_cell(
    runs: list[Run],
    dataset: Dataset,
    manifest: Manifest,
    method_class: type[Method],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        _count_predict(method_class, patch, stop_after=2)
        with pytest.raises(KeyboardInterrupt):
            launder_runs(runs, dataset, manifest, GRID)
    begun = [_times(run) for run in runs]
    assert [len(times) for times in begun] == [2, 2]
    sizes = _count_predict(method_class, monkeypatch)
    launder_runs(runs, dataset, manifest, GRID)
    assert len(sizes) == 1 + 2
    for run, times in zip(runs, begun, strict=True):
        assert times.items() <= _times(run).items()
        assert len(_times(run)) == 4
    # A rule that lost its answers is asked again; the other one's files stay.
    shutil.rmtree(runs[1].folder / LAUNDERED_FOLDER)
    kept = _times(runs[0])
    launder_runs(runs, dataset, manifest, GRID)
    assert _times(runs[0]) == kept
    assert len(_times(runs[1])) == 4


def test_cells_without_room_are_left_out_and_counted(runs: list[Run], dataset: Dataset, manifest: Manifest) -> None:
    left_out = launder_runs(runs, dataset, manifest, Grid(quality=(None,), resize=(1.0, 0.5), blur=(0.0,)))
    assert left_out[Cell(resize=0.5)] == left_out[Cell(resize=0.5, phase=4)] == len(manifest.rows("test"))
    assert set(laundered_cells(runs[0])) == {CLEAN, Cell(phase=4)} - left_out.keys()


def test_a_model_that_changed_is_refused(
    runs: list[Run], dataset: Dataset, manifest: Manifest, method_class: type[Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = method_class.predict
    monkeypatch.setattr(method_class, "predict", lambda method, images: predict(method, 255 - images))
    with pytest.raises(RunError, match="of the answers that it published; method or images have changed"):
        launder_runs(runs, dataset, manifest, GRID)
    assert not (runs[0].folder / LAUNDERED_FOLDER).exists()


def test_a_run_without_a_model_cannot_be_laundered(runs: list[Run], dataset: Dataset, manifest: Manifest) -> None:
    for run in runs:
        shutil.rmtree(run.model)
    with pytest.raises(RunError, match="has no model/ folder"):
        launder_runs(runs, dataset, manifest, GRID)


def test_a_damaged_file_is_a_one_line_error(laundered: list[Run], manifest: Manifest) -> None:
    run = laundered[0]
    path = cell_file(run, STRONG)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(RunError, match="not a readable Parquet file") as caught:
        read_laundered(run, STRONG, manifest)
    assert "\n" not in str(caught.value)
    shutil.copy(run.folder / "predictions.parquet", path)  # answers to other images
    with pytest.raises(RunError, match="outside the manifest's test, first"):
        read_laundered(run, STRONG, manifest)
    shutil.copy(cell_file(run, Cell(resize=1.25)), cell_file(run, CLEAN))
    with pytest.raises(RunError, match="is not what the run answered"):
        read_laundered(run, CLEAN, manifest)
    path.rename(path.with_name("quality-500_phase-0_resize-1_blur-0.parquet"))
    with pytest.raises(RunError, match="'500' is no quality of a laundering grid"):
        laundered_cells(run)


def test_a_damaged_shard_is_a_one_line_error(runs: list[Run], own_dataset: Dataset, manifest: Manifest) -> None:
    shard = sorted((own_dataset.path / "shards").rglob("*.parquet"))[0]
    shard.write_bytes(shard.read_bytes()[:-50])
    with pytest.raises(DatasetError, match="is not a Parquet file, or it is cut off"):
        launder_runs(runs, own_dataset, manifest, GRID)
