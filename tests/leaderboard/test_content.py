"""The board of a fold that holds a training set out says what new content costs each entry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.content import content_rows
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.generation.generate import generate
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, build_board
from tests.benchmark.tiny_dataset import CROP, GENERATORS, write_sources

from .browser import find_browser, open_page
from .synthetic_runs import Drawn, write_run

METHOD = Drawn("proposed", 0.9, {"native": 3.0})


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("held-out")
    suite = write_sources(folder / "sources", GENERATORS, 20, CROP + 8, ("landscape", "emoji"))
    return build_manifest(generate(str(suite), folder / "data"), "cross-content", "emoji")


@pytest.fixture(scope="module")
def site(held_out: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board of one entry with two seeds."""
    folder = tmp_path_factory.mktemp("content-board")
    for seed in (0, 1):
        write_run(folder / "runs", held_out, METHOD, seed)
    build_board(folder / "runs", bootstrap=5).save(folder / "site")
    return folder / "site"


def test_rows_are_means_over_seeds_at_their_own_thresholds(held_out: Manifest, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "runs", held_out, METHOD, seed) for seed in (0, 1)]
    (entry,) = build_board(tmp_path / "runs", bootstrap=2).entries
    alone = [run.score(bootstrap=2).content for run in runs]
    assert [row.images for row in entry.content] == [6, 6, 4]
    for row, *seeds in zip(entry.content, *alone, strict=True):
        assert row.rejected == pytest.approx(np.mean([seed.rejected for seed in seeds]))
        assert row.part == seeds[0].part
    assert entry.content[-1].accuracy is None
    assert entry.content[0].accuracy == pytest.approx(np.mean([seed[0].accuracy or 0.0 for seed in alone]))


def test_a_board_without_held_out_content_has_no_rows(manifest: Manifest, tmp_path: Path) -> None:
    answers = write_run(tmp_path / "runs", manifest, METHOD, 0).answers()
    assert build_board(tmp_path / "runs", bootstrap=2).entries[0].content == ()
    assert content_rows(answers.validation, answers.test, manifest, 0.0) == []


def test_the_board_keeps_the_rows(site: Path) -> None:
    (entry,) = json.loads((site / JSON_FILE).read_text())["entries"]
    assert [(row["split"], row["openness"], row["part"]) for row in entry["content"]] == [
        ("val", "seen", "landscape"),
        ("test", "seen", "emoji"),
        ("test", "unseen", "emoji"),
    ]


@pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome on this machine")
def test_the_page_shows_them(site: Path, tmp_path: Path) -> None:
    (entry,) = json.loads((site / JSON_FILE).read_text())["entries"]
    with open_page(tmp_path) as page:
        page.open((site / PAGE_FILE).as_uri())
        page.wait_for("document.documentElement.dataset.ready === 'true'")
        cells = page.evaluate("[...document.querySelectorAll('.content tbody tr')].map(r => r.innerText.split('\\t'))")
        assert [row[0] for row in cells] == ["landscape, not held out", "emoji, held out", "emoji, held out"]
        assert [float(row[-1]) for row in cells] == pytest.approx([r["rejected"] for r in entry["content"]], abs=0.0006)
        assert cells[-1][-2] == "–"
        assert page.problems == []
