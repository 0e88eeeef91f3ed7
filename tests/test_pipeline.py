"""The whole pipeline of an experiment file, on a small suite of image folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from osbench.benchmark.results import read_results
from osbench.cli import main
from osbench.core.errors import UsageError
from osbench.leaderboard.board import Board
from osbench.leaderboard.folds import Folds
from osbench.pipeline import run
from tests.benchmark.tiny_dataset import CROP, GENERATORS, METHOD_FILE, write_sources

EXPERIMENT = """
title: Two numbers of bins
suite: {suite}
seeds: 2
rules: [distance]
entries:
  four: {{method: colour.py}}
  line-colour, eight: {{method: colour.py, options: {{bins: 8}}}}
compare:
  - {{better: "line-colour, eight", than: four}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    suite = write_sources(folder / "sources", GENERATORS, 40, CROP + 8)
    (folder / "colour.py").write_text(METHOD_FILE.replace("nearest-colour", "line-colour"))
    path = folder / "bins.yaml"
    path.write_text(EXPERIMENT.format(suite=suite))
    return path


def test_an_experiment_file_becomes_a_board_and_a_table(file: Path, tmp_path: Path) -> None:
    made = run(file, tmp_path)
    assert isinstance(made.board, Board)
    assert made.page == tmp_path / "leaderboard" / "index.html"
    assert (tmp_path / "data" / "dataset.json").is_file()
    assert len(list((tmp_path / "runs" / "line-colour").glob("seed*"))) == 4
    assert {(entry.name, entry.rule) for entry in made.board.entries} == {
        ("four", "distance"),
        ("line-colour, eight", "distance"),
    }
    (result,) = read_results(tmp_path / "results.json").results
    assert [row.label for row in result.rows] == ["four", "line-colour, eight"]
    assert len(result.comparisons) == 1
    again = run(file, tmp_path)
    assert again.board.to_json() == made.board.to_json()
    assert read_results(tmp_path / "results.json").results == (result,)


def test_the_command_prints_the_board_and_takes_a_part(file: Path, tmp_path: Path) -> None:
    arguments = ["run", str(file), "--out", str(tmp_path), "--entry", "four", "--seeds", "1"]
    dry = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "four: " in dry.stdout
    assert not (tmp_path / "data").exists()
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert len(document["runs"]) == 1
    assert Path(document["page"]).is_file()
    text = CliRunner().invoke(main, arguments)
    assert "Open " in text.stdout
    assert "four" in text.stdout


def test_folds_give_a_board_each(file: Path, tmp_path: Path) -> None:
    text = (
        file.read_text()
        .replace("seeds: 2", "seeds: 1\nprotocol: rotate-one\nfold: all")
        .replace("[distance]", "[never]")
    )
    path = file.with_name("folds.yaml")
    path.write_text(text)
    result = run(path, tmp_path, entries=["four"])
    assert isinstance(result.board, Folds)
    assert len(result.board.folds) == len(GENERATORS)
    assert len(read_results(tmp_path / "results.json").results) == len(GENERATORS)


def test_unknown_names_are_refused_before_anything_is_made(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown entry"):
        run(file, tmp_path / "x", entries=["five"])
    with pytest.raises(UsageError, match="unknown experiment"):
        run("minni", tmp_path / "x")
    assert not (tmp_path / "x").exists()
