"""An entry's surface is the mean of its seeds, over what all of them answered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.laundered import cell_file
from osbench.benchmark.laundering import CLEAN, Cell, Grid
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.robustness import SURFACE_METRICS, surface
from osbench.benchmark.runs import Run
from osbench.leaderboard.board import JSON_FILE, build_board
from osbench.leaderboard.entry import ScoredRun
from osbench.leaderboard.robustness import entry_surface

from .synthetic_runs import Drawn, write_laundered, write_run

CELLS = Grid(quality=(None, 60), phase=(0,), resize=(1.0,), blur=(0.0, 1.0)).cells()
HARSH = Cell(quality=60, blur=1.0)


@pytest.fixture
def runs(manifest: Manifest, tmp_path: Path) -> list[Run]:
    """Two laundered seeds of one entry."""
    runs = [write_run(tmp_path / "runs", manifest, Drawn("proposed", "native", 0.9, 3.0), seed) for seed in (0, 1)]
    for run in runs:
        write_laundered(run, manifest, CELLS)
    return runs


def test_a_row_is_the_mean_of_the_seeds_at_their_own_thresholds(runs: list[Run], manifest: Manifest) -> None:
    scored = [ScoredRun.of(run, manifest) for run in runs]
    rows = entry_surface(scored, manifest)
    assert [Cell(*(row[axis] for axis in ("quality", "phase", "resize", "blur"))) for row in rows] == [
        Cell(blur=blur, quality=quality) for blur in (0.0, 1.0) for quality in (None, 60)
    ]
    alone = [surface(s.run, manifest, s.threshold)[HARSH] for s in scored]
    assert rows[-1] | {name: np.mean([a[name] for a in alone]) for name in SURFACE_METRICS} == rows[-1]
    assert rows[-1]["seen_accepted"] < rows[0]["seen_accepted"]


def test_the_board_holds_the_surface_beside_the_metrics(runs: list[Run], manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, Drawn("dct-cnn", "msp", 0.5, 1.0), 0)
    build_board(tmp_path / "runs", None, tmp_path / "site", bootstrap=5)
    first, other = json.loads((tmp_path / "site" / JSON_FILE).read_text())["entries"]
    clean = first["laundered"][0]
    assert (clean["quality"], clean["phase"], clean["resize"], clean["blur"]) == (None, 0, 1, 0)
    for name in ("af1", "crr", "auc_af1_crr", "accuracy"):
        assert clean[name] == pytest.approx(first["metrics"][name]["mean"], abs=1e-12)
    assert len(first["laundered"]) == len(CELLS)
    assert other["laundered"] == []


def test_seeds_that_were_laundered_differently_share_what_they_have(
    runs: list[Run], manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    cell_file(runs[1], HARSH).unlink()
    rows = entry_surface([ScoredRun.of(run, manifest) for run in runs], manifest)
    assert len(rows) == len(CELLS) - 1
    assert "proposed / native: 3 laundered cells are shared by all 2 seeds" in caplog.text


def test_damaged_answers_cost_the_surface_and_not_the_place(
    runs: list[Run], manifest: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cell_file(runs[0], HARSH).write_bytes(b"PAR1")
    document = build_board(tmp_path / "runs", None, tmp_path / "site", bootstrap=5)
    assert document["entries"][0]["laundered"] == []
    assert document["refused"] == []
    assert "no robustness surface" in caplog.text
    assert HARSH.name in caplog.text


def test_a_clean_cell_that_is_not_the_runs_own_is_damage(
    runs: list[Run], manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    cell_file(runs[0], CLEAN).write_bytes(cell_file(runs[0], HARSH).read_bytes())
    assert entry_surface([ScoredRun.of(run, manifest) for run in runs], manifest) == []
    assert "is not what the run answered" in caplog.text
