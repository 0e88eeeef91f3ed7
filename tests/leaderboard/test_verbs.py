"""``osbench leaderboard build`` and ``osbench submit`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from osbench.benchmark.manifest import Manifest
from osbench.cli import main
from osbench.generation.dataset import Dataset

from .synthetic_runs import Drawn, write_run

METHOD = Drawn("proposed", 0.9, {"native": 3.0})


def test_build_prints_the_board_and_the_page(board_runs: Path, dataset: Dataset, tmp_path: Path) -> None:
    arguments = ["leaderboard", "build", str(board_runs), "--out", str(tmp_path), "--bootstrap", "10"]
    result = CliRunner().invoke(main, [*arguments, "--data", str(dataset.path)])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1] == str(tmp_path.resolve() / "index.html")
    assert lines[2].split()[:3] == ["1", "proposed", "native"]
    assert '"gallery":[{' in (tmp_path / "index.html").read_text()


def test_build_json_is_one_document(board_runs: Path, tmp_path: Path) -> None:
    arguments = ["leaderboard", "build", str(board_runs), "--out", str(tmp_path), "--bootstrap", "10", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document.pop("page") == str(tmp_path.resolve() / "index.html")
    assert document == json.loads((tmp_path / "leaderboard.json").read_text())
    assert result.stderr == ""


def test_build_without_another_word(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "runs", manifest, METHOD, 0)
    write_run(tmp_path / "runs", manifest, METHOD, 0, tag="twin")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["leaderboard", "build", "--bootstrap", "5"])
    assert result.exit_code == 0, result.output
    assert "left out: 1\n  proposed/seed0-twin: the same entry and seed" in result.stdout
    assert (tmp_path / "site" / "index.html").is_file()


def test_build_errors_are_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["leaderboard", "build", str(tmp_path / "none"), "--out", str(tmp_path / "site")])
    assert result.exit_code == 1
    assert result.stderr.startswith("osbench: error: no runs folder")
    assert result.stderr.count("\n") == 1


def test_build_into_a_place_that_is_a_file(board_runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    arguments = ["leaderboard", "build", str(board_runs), "--out", str(tmp_path / "file"), "--bootstrap", "2", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("osbench: error:")
    assert result.stderr.count("\n") == 1


def test_submit_twice(manifest: Manifest, tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", manifest, METHOD, 0)
    arguments = ["submit", str(run.folder), "--to", str(tmp_path / "board"), "--json"]
    first, second = (json.loads(CliRunner().invoke(main, arguments).stdout) for _ in range(2))
    assert first["status"] == "submitted"
    assert second == {**first, "status": "already submitted"}
    text = CliRunner().invoke(main, arguments[:-1]).stdout
    assert text.startswith(f"already submitted: {first['location']}\n- [")


def test_submit_to_nowhere_is_a_usage_error(manifest: Manifest, tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", manifest, METHOD, 0)
    result = CliRunner().invoke(main, ["submit", str(run.folder), "--to", "ftp://x"])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
