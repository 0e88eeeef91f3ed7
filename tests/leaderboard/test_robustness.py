"""An entry's surface is the mean of its seeds, over what all of them answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.robustness.surface import LAUNDERED_FILE, SURFACE_METRICS
from osbench.benchmark.robustness.treatments import CLEAN, Cell, Grid
from osbench.benchmark.runs import Run
from osbench.leaderboard.board import build_board
from osbench.leaderboard.entry import mean_surface

from .synthetic_runs import Drawn, write_laundered, write_run

CELLS = Grid(quality=(None, 60), phase=(0,), resize=(1.0,), blur=(0.0, 1.0)).cells()
HARSH = Cell(quality=60, blur=1.0)


@pytest.fixture
def runs(manifest: Manifest, tmp_path: Path) -> list[Run]:
    """Two laundered seeds of one entry."""
    runs = [write_run(tmp_path / "runs", manifest, Drawn("proposed", 0.9, {"native": 3.0}), seed) for seed in (0, 1)]
    for run in runs:
        write_laundered(run, manifest, CELLS)
    return runs


def test_a_row_is_the_mean_of_the_seeds_at_their_own_thresholds(runs: list[Run]) -> None:
    each = [run.score(bootstrap=2).robustness for run in runs]
    rows = mean_surface(each)
    assert [row.cell for row in rows] == [
        Cell(blur=blur, quality=quality) for blur in (0.0, 1.0) for quality in (None, 60)
    ]
    for name in SURFACE_METRICS:
        alone = [getattr(next(row for row in seed if row.cell == HARSH), name) for seed in each]
        assert getattr(rows[-1], name) == pytest.approx(np.mean(alone))
    assert rows[-1].seen_accepted < rows[0].seen_accepted
    assert mean_surface([each[0], each[1][:-1]]) == mean_surface([each[0][:-1], each[1][:-1]])
    assert mean_surface([each[0], ()]) == ()


def test_the_second_score_is_the_mean_over_treatments_with_its_interval(runs: list[Run], tmp_path: Path) -> None:
    entry = build_board(tmp_path / "runs", bootstrap=40).entries[0]
    treated = [row.af1 for row in entry.robustness if row.cell != CLEAN]
    assert entry.laundering is not None
    assert entry.laundering.score.estimate == pytest.approx(np.mean(treated), abs=1e-12)
    assert entry.laundering.score.low < entry.laundering.score.estimate < entry.laundering.score.high
    assert entry.laundering.cells == tuple(row.cell for row in entry.robustness if row.cell != CLEAN)
    assert entry.laundering.unranked == "2 trainings: a rank needs 3"
    frame = entry.to_frame()
    assert frame["laundering"].iloc[0] == entry.laundering.score.estimate
    assert pd.isna(frame["laundering_rank"].iloc[0])


def test_a_seed_without_laundered_answers_costs_the_score(runs: list[Run], tmp_path: Path) -> None:
    (runs[0].folder / LAUNDERED_FILE).unlink()
    assert build_board(tmp_path / "runs", bootstrap=5).entries[0].laundering is None


def test_the_board_holds_the_surface_beside_the_metrics(runs: list[Run], manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, Drawn("dct-cnn", 0.5, {"msp": 1.0}), 0)
    first, other = build_board(tmp_path / "runs", bootstrap=5).entries
    assert first.robustness[0].cell == CLEAN
    for name in ("af1", "crr", "auc_af1_crr", "accuracy"):
        assert getattr(first.robustness[0], name) == pytest.approx(first.metrics[name].estimate, abs=1e-12)
    assert len(first.robustness) == len(CELLS)
    assert other.robustness == ()


@pytest.mark.parametrize("damage", ["cut", "another run's"])
def test_damaged_answers_cost_the_surface_and_not_the_place(
    runs: list[Run], tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = runs[0].folder / LAUNDERED_FILE
    path.write_bytes(b"PAR1" if damage == "cut" else (runs[1].folder / LAUNDERED_FILE).read_bytes())
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert (board.entries[0].seeds, board.entries[0].robustness, board.refused) == ((0, 1), (), ())
    assert "no robustness surface" in caplog.text
