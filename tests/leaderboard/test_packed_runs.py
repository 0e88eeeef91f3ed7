"""A board of packed runs is the board of the runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.robustness.treatments import Grid
from osbench.benchmark.run_info import RUN_FILE
from osbench.benchmark.runs import PREDICTIONS_FILE, list_runs
from osbench.cli import main
from osbench.core.errors import RunError
from osbench.leaderboard.board import build_board
from osbench.leaderboard.submit import prepare

from .synthetic_runs import Drawn, write_laundered, write_run


def test_every_number_of_the_board_is_the_same_to_the_bit(manifest: Manifest, board_runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "packed"
    result = CliRunner().invoke(main, ["pack", str(board_runs), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    packed = json.loads(result.stdout)
    assert packed["bytes_after"] < packed["bytes_before"]
    boards = [build_board(runs, bootstrap=20) for runs in (board_runs, out)]
    assert json.dumps(boards[0].to_json()) == json.dumps(boards[1].to_json())
    for before, after in zip(list_runs(board_runs), list_runs(out), strict=True):
        assert (before.folder / RUN_FILE).read_bytes() == (after.folder / RUN_FILE).read_bytes()
        a, b = before.predictions(manifest), after.predictions(manifest)
        assert all((a.known_score[rule] == b.known_score[rule]).all() for rule in a.rules)
        assert np.allclose(a.class_scores, b.class_scores, rtol=2**-11, atol=2**-25)
        assert sorted(path.name for path in after.folder.iterdir()) == [PREDICTIONS_FILE, RUN_FILE]


def test_a_packed_run_can_be_submitted(manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, Drawn("proposed", 0.9, {"native": 3.0}), 0)
    assert CliRunner().invoke(main, ["pack", str(tmp_path / "runs"), "--out", str(tmp_path / "packed")]).exit_code == 0
    assert prepare(list_runs(tmp_path / "packed")[0].folder).files[f"seed0/{PREDICTIONS_FILE}"]


def test_a_pack_has_a_folder_of_its_own(manifest: Manifest, tmp_path: Path) -> None:
    from osbench.benchmark.pack import pack_runs

    write_run(tmp_path / "runs", manifest, Drawn("proposed", 0.9, {"native": 3.0}), 0)
    for out in (tmp_path / "runs", tmp_path / "runs/packed", tmp_path):
        with pytest.raises(RunError, match="folder of its own"):
            pack_runs(tmp_path / "runs", out)


def test_laundered_answers_come_along(manifest: Manifest, tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", manifest, Drawn("proposed", 0.9, {"native": 3.0}), 0)
    write_laundered(run, manifest, Grid().cells())
    assert CliRunner().invoke(main, ["pack", str(tmp_path / "runs"), "--out", str(tmp_path / "packed")]).exit_code == 0
    boards = [build_board(tmp_path / name, bootstrap=2) for name in ("runs", "packed")]
    assert boards[0].entries[0].robustness
    assert boards[1].to_json()["entries"] == boards[0].to_json()["entries"]
