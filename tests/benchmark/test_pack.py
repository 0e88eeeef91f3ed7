"""Packed runs: the same numbers from fewer bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.pack import pack_runs
from osbench.benchmark.runs import list_runs
from osbench.core.errors import RunError

GOLDEN = Path(__file__).parents[1] / "golden" / "runs-v2"


def test_every_number_stays_and_the_model_is_left_out(tmp_path: Path) -> None:
    packed = pack_runs(GOLDEN, tmp_path / "packed")
    assert packed.runs == 2
    assert "2 runs: predictions 0.01 MB" in str(packed)
    for before, after in zip(list_runs(GOLDEN), list_runs(tmp_path / "packed"), strict=True):
        assert before.info == after.info
        assert {path.name for path in after.folder.iterdir()} == {
            "run.json",
            "predictions.parquet",
            "laundered.parquet",
        }
        mine, theirs = before.predictions(), after.predictions()
        assert (theirs.class_scores == mine.class_scores.astype(np.float16)).all()
        for rule in before.rules:
            assert before.score(rule, bootstrap=5).to_json() == after.score(rule, bootstrap=5).to_json()
            np.testing.assert_array_equal(mine.known_score[rule], theirs.known_score[rule])


def test_a_pack_has_a_folder_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "runs")
    for out in (tmp_path / "runs", tmp_path / "runs/packed", tmp_path):
        with pytest.raises(RunError, match="folder of its own"):
            pack_runs(tmp_path / "runs", out)


def test_a_damaged_run_is_named(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "runs")
    run = list_runs(tmp_path / "runs")[1]
    (run.folder / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match=run.folder.name):
        pack_runs(tmp_path / "runs", tmp_path / "packed")
