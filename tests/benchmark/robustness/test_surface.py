"""The surface: each cell's metrics by a literal count, all at the threshold of the clean validation images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.metrics import all_metrics
from osbench.benchmark.robustness.asking import launder_runs
from osbench.benchmark.robustness.surface import (
    LAUNDERED_FILE,
    SURFACE_METRICS,
    SurfaceRow,
    surface,
    surface_table,
    write_laundered,
)
from osbench.benchmark.robustness.treatments import CLEAN, Cell, Grid
from osbench.benchmark.runs import Run, answers_to_test, store_manifest
from osbench.core.documents import to_json
from osbench.core.errors import RunError
from osbench.generation.dataset import Dataset
from tests.benchmark.run_documents import drawn_answers, run_info

BLURRED = Cell(blur=2.0)


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    (run,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))
    launder_runs([run], dataset, manifest, Grid(quality=(None, 50), phase=(0,), resize=(1.0,), blur=(0.0, 2.0)))
    return run


def rows_of(run: Run, manifest: Manifest) -> dict[Cell, SurfaceRow]:
    answers = run.answers("distance", manifest)
    return {row.cell: row for row in surface(answers, run.laundered(manifest), answers.threshold())}


def test_the_clean_cell_has_the_numbers_of_the_run(run: Run, manifest: Manifest) -> None:
    answers = run.answers("distance", manifest)
    found, expected = rows_of(run, manifest), all_metrics(answers.test, answers.threshold())
    assert next(iter(found)) == CLEAN
    for name in ("af1", "crr", "auc_af1_crr", "accuracy"):
        assert getattr(found[CLEAN], name) == expected[name]
    assert run.score("distance", bootstrap=2).robustness == tuple(found.values())


def test_the_threshold_is_the_clean_one_in_every_cell(run: Run, manifest: Manifest) -> None:
    answers = run.answers("distance", manifest)
    threshold = answers.threshold()
    assert np.isin(threshold, answers.validation.known_score)
    blurred = run.laundered(manifest)[BLURRED].scores("distance")
    rows = manifest.rows("test")
    accepted = blurred.known_score >= threshold
    seen = (rows["openness"] == "seen").to_numpy()
    found = rows_of(run, manifest)[BLURRED]
    assert found.seen_accepted == np.mean(accepted[seen])
    # Blurred colours lie elsewhere: a threshold chosen again would accept about 95 % of them.
    assert found.seen_accepted < 0.5
    rejected = [np.mean(~accepted[(rows["generator"] == name).to_numpy()]) for name in manifest.unseen]
    assert found.crr == pytest.approx(np.mean(rejected))
    assert found.accuracy == np.mean(blurred.candidate[seen] == rows["class_index"].to_numpy()[seen])


def answers_to_test_are_json_and_a_table(run: Run, manifest: Manifest) -> None:
    rows = tuple(rows_of(run, manifest).values())
    assert json.loads(json.dumps(to_json(rows), allow_nan=False)) == to_json(rows)
    assert [(row.quality, row.blur) for row in rows] == [(None, 0), (50, 0), (None, 2), (50, 2)]
    lines = surface_table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[1].split() == ["blur", "resize", "phase", "quality", *SURFACE_METRICS]
    assert lines[2].split()[:4] == ["0", "1", "0", "none"]


def test_a_run_that_was_never_laundered_has_no_surface(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    (plain,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path)
    assert plain.laundered(manifest) == {}
    assert plain.score(bootstrap=2).robustness == ()


DAMAGED: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "no cell": (lambda t: t.drop_columns(["cell"]), "column 'cell' is missing"),
    "no text": (lambda t: _with_cells(t, pa.array([1] * len(t))), "column 'cell' is not a text"),
    "empty": (lambda t: _with_cells(t, pa.array([None] * len(t), pa.string())), "column 'cell' is not a text"),
    "long": (lambda t: _with_cells(t, pa.array(["x" * 101] * len(t))), "is longer than that of any cell"),
    "no such cell": (
        lambda t: _with_cells(t, pa.array(["quality-500_phase-0_resize-1_blur-0"] * len(t))),
        "'500' is no quality of a laundering grid",
    ),
    "a row twice": (lambda t: pa.concat_tables([t, t[:1]]), "is answered twice"),
    "a row less": (lambda t: t[1:], "1 of 20 images have no answer"),
    "another answer": (
        lambda t: t.set_column(
            3, "known_score.distance", pc.call_function("add", [t["known_score.distance"], pa.scalar(1, pa.float32())])
        ),
        "is not what the run answered: delete it and launder again",
    ),
}


def _with_scores(table: pa.Table, scores: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index("known_score.distance"), "known_score.distance", scores)


def _with_cells(table: pa.Table, cells: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index("cell"), "cell", cells)


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_a_one_line_error(case: str, run: Run, manifest: Manifest, tmp_path: Path) -> None:
    change, message = DAMAGED[case]
    copy = Run(tmp_path / "run", run.info)
    shutil.copytree(run.folder, copy.folder)
    path = copy.folder / LAUNDERED_FILE
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(RunError, match=message) as caught:
        copy.laundered(manifest)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_more_cells_than_any_grid_has(run: Run, manifest: Manifest, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("osbench.benchmark.robustness.surface.MAX_CELLS", 3)
    with pytest.raises(RunError, match="80 rows; at most 60 are read"):
        run.laundered(manifest)


def test_rules_with_candidates_of_their_own(manifest: Manifest, tmp_path: Path) -> None:
    rules = ("native", "other")
    own = drawn_answers(manifest, rules)
    store_manifest(tmp_path, manifest)
    run = Run.write(tmp_path / "m" / "seed0-a", run_info(manifest, rules), own)
    test = answers_to_test(own, manifest)
    alike = replace(answers_to_test(drawn_answers(manifest, rules, seed=1), manifest), other_candidate={})
    cells = {CLEAN: test, BLURRED: alike}
    write_laundered(cells, run.folder / LAUNDERED_FILE)
    for cell, answers in run.laundered(manifest).items():
        for rule in rules:
            np.testing.assert_array_equal(answers.scores(rule).candidate, cells[cell].scores(rule).candidate)
            np.testing.assert_array_equal(answers.scores(rule).known_score, cells[cell].scores(rule).known_score)
