"""The surface: each cell's metrics by a literal count, all at the threshold of the clean validation images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.laundered import launder_runs, read_laundered
from osbench.benchmark.laundering import CLEAN, Cell, Grid
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import all_metrics
from osbench.benchmark.robustness import SURFACE_METRICS, surface, surface_document, surface_table
from osbench.benchmark.runs import Run
from osbench.benchmark.score import answers_of, threshold_of
from osbench.generation.dataset import Dataset

BLURRED = Cell(blur=2.0)


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    (run,) = evaluate(
        method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"), rejections=["distance"]
    )
    launder_runs([run], dataset, manifest, Grid(quality=(None, 50), phase=(0,), resize=(1.0,), blur=(0.0, 2.0)))
    return run


def test_the_clean_cell_has_the_numbers_of_the_run(run: Run, manifest: Manifest) -> None:
    threshold, _ = threshold_of(run, manifest)
    found = surface(run, manifest, threshold)
    expected = all_metrics(answers_of(run, manifest).test, threshold)
    assert next(iter(found)) == CLEAN
    for name in ("af1", "crr", "auc_af1_crr", "accuracy"):
        assert found[CLEAN][name] == expected[name]


def test_the_threshold_is_the_clean_one_in_every_cell(run: Run, manifest: Manifest) -> None:
    threshold, clean_scores = threshold_of(run, manifest)
    assert np.isin(threshold, clean_scores)
    answers = read_laundered(run, BLURRED, manifest).scores
    rows = manifest.rows("test")
    accepted = answers.known_score >= threshold
    seen = (rows["openness"] == "seen").to_numpy()
    found = surface(run, manifest, threshold)[BLURRED]
    assert found["seen_accepted"] == np.mean(accepted[seen])
    # Blurred colours lie elsewhere: a threshold chosen again would accept about 95 % of them.
    assert found["seen_accepted"] < 0.5
    rejected = [np.mean(~accepted[(rows["generator"] == name).to_numpy()]) for name in manifest.unseen]
    assert found["crr"] == pytest.approx(np.mean(rejected))
    assert found["accuracy"] == np.mean(answers.candidate[seen] == rows["class_index"].to_numpy()[seen])


def test_rows_are_json_and_a_table(run: Run, manifest: Manifest) -> None:
    threshold, _ = threshold_of(run, manifest)
    rows = surface_document(surface(run, manifest, threshold))
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert [(row["quality"], row["blur"]) for row in rows] == [(None, 0), (50, 0), (None, 2), (50, 2)]
    lines = surface_table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[1].split() == ["blur", "resize", "phase", "quality", *SURFACE_METRICS]
    assert lines[2].split()[:4] == ["0", "1", "0", "none"]


def test_a_run_that_was_never_laundered_has_no_surface(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    (plain,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path, rejections=["never"])
    assert surface(plain, manifest, 0.0) == {}
