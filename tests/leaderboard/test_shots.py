"""Boards of folds with few shots: lines over all of them, on every page, in a file, and as figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.shots.curves import ShotCurves
from osbench.cli import main
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, Board, build_board
from osbench.leaderboard.folds import SHOTS_FILE, Folds, build_fold_boards, folds_text
from osbench.leaderboard.readme import board_markdown
from osbench.leaderboard.tables import board_text
from tests.benchmark.shots.drawn_runs import FREE, GROWING, STRONG, few_shot_manifests, write_few_shot_runs

from .browser import find_browser, open_page

CLOSED = ["af1_known", "accuracy", "macro_f1"]


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return few_shot_manifests((1, 5), 2)


@pytest.fixture(scope="module")
def runs(manifests: list[Manifest], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few-shots") / "runs"
    write_few_shot_runs(folder, manifests, (GROWING, FREE, STRONG))
    return folder


@pytest.fixture(scope="module")
def site(runs: Path) -> tuple[Folds, Path]:
    out = runs.parent / "site"
    return build_fold_boards(runs, out, bootstrap=20), out


def test_lines_lie_beside_the_boards_and_on_every_page(site: tuple[Folds, Path]) -> None:
    folds, out = site
    (curves,) = folds.shots
    (document,) = json.loads((out / SHOTS_FILE).read_text())["shots"]
    assert ShotCurves.from_json(document) == curves
    assert {line.label: len(line.points) for line in curves.lines} == {"free": 1, "growing": 2, "strong": 2}
    assert {"shots-1.svg", "shots-1.png"} <= {path.name for path in out.iterdir()}
    assert len(folds.folds) == 4
    for fold in folds.folds:
        page = (out / fold.folder / PAGE_FILE).read_text()
        assert '"shots":[{"suite":"captioned"' in page
        board = json.loads((out / fold.folder / JSON_FILE).read_text())
        assert "shots" not in board
        assert board["refused"] == []  # the runs of other folds have boards of their own
    assert folds.page(out) == out / folds.first / PAGE_FILE
    assert folds.first.startswith("fewshot-shots-5-repeat-0-")


def test_the_text_is_that_of_the_lines(site: tuple[Folds, Path]) -> None:
    text = folds_text(site[0])
    assert text.splitlines()[0].startswith("captioned, fewshot, 5 classes: accuracy")
    assert "strong   free      1 or fewer" in text


def test_the_verb_gives_the_lines_as_json(runs: Path, tmp_path: Path) -> None:
    arguments = ["leaderboard", "folds", str(runs), "--out", str(tmp_path), "--bootstrap", "5", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert [line["label"] for line in json.loads(result.stdout)["shots"][0]["lines"]] == ["free", "strong", "growing"]


def test_without_matplotlib_there_are_boards_and_no_figures(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    build_fold_boards(runs, tmp_path, bootstrap=2)
    assert (tmp_path / SHOTS_FILE).is_file()
    assert not list(tmp_path.glob("shots-*"))


def test_a_closed_set_has_one_row_a_fit_and_no_metric_that_needs_unseen_images(
    runs: Path, manifests: list[Manifest], tmp_path: Path
) -> None:
    board = build_board(runs, manifest_id=manifests[2].manifest_id, bootstrap=20)
    assert (board.primary, list(board.metrics)) == ("accuracy", CLOSED)
    assert [entry.name for entry in board.entries] == ["strong", "growing"]
    for entry in board.entries:
        assert list(entry.metrics) == CLOSED
        assert (entry.new_generator, entry.curve) == ({}, None)
        assert {score.openness for score in entry.per_generator.values()} == {"seen"}
    document = json.loads((board.save(tmp_path).parent / JSON_FILE).read_text())
    assert Board.from_json(document).to_json() == document
    assert board_text(board).splitlines()[1].split()[-2:] == ["accuracy", "macro_f1"]
    assert "| accuracy | macro F1 |" in board_markdown(board)


@pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome on this machine")
def test_the_page_draws_the_lines(site: tuple[Folds, Path], tmp_path: Path) -> None:
    folds, out = site
    with open_page(tmp_path) as page:
        page.open(folds.page(out).as_uri())
        page.wait_for("document.documentElement.dataset.ready === 'true'")
        lines = page.evaluate("[...document.querySelectorAll('.shot-line')].map(line => line.dataset.line)")
        assert lines == [line.label for line in folds.shots[0].lines]
        assert page.evaluate("document.querySelectorAll('.crossings tbody tr').length") == 2
        assert page.evaluate("document.getElementById('curves').hidden")
        assert not page.evaluate("document.getElementById('shots').hidden")
        assert page.problems == []
