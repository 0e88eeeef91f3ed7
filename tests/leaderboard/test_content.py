"""The board of a fold that holds a training set out says what new content costs each entry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.content import content_rows
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.score import score_run
from osbench.generation.generate import generate
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, build_board
from osbench.leaderboard.content import entry_content
from osbench.leaderboard.entry import ScoredRun
from tests.benchmark.tiny_dataset import CROP, GENERATORS, write_sources

from .browser import find_browser, open_page
from .synthetic_runs import Drawn, write_run

METHOD = Drawn("proposed", "native", 0.9, 3.0)


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
    build_board(folder / "runs", None, folder / "site", bootstrap=5)
    return folder / "site"


def test_rows_are_means_over_seeds_at_their_own_thresholds(held_out: Manifest, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "runs", held_out, METHOD, seed) for seed in (0, 1)]
    rows = entry_content([ScoredRun.of(run, held_out) for run in runs], held_out)
    alone = [score_run(run, held_out, bootstrap=2)["content"] for run in runs]
    assert [row["images"] for row in rows] == [6, 6, 4]
    for row, *seeds in zip(rows, *alone, strict=True):
        assert row["rejected"] == pytest.approx(np.mean([seed["rejected"] for seed in seeds]))
        assert row["training_set"] == seeds[0]["training_set"]
    assert rows[-1]["accuracy"] is None
    assert rows[0]["accuracy"] == pytest.approx(np.mean([seed[0]["accuracy"] for seed in alone]))


def test_a_board_without_held_out_content_has_no_rows(manifest: Manifest, tmp_path: Path) -> None:
    scored = ScoredRun.of(write_run(tmp_path / "runs", manifest, METHOD, 0), manifest)
    assert entry_content([scored], manifest) == []
    assert content_rows(scored.validation, scored.test, manifest, 0.0) == []


def test_the_board_keeps_the_rows(site: Path) -> None:
    (entry,) = json.loads((site / JSON_FILE).read_text())["entries"]
    assert [(row["split"], row["openness"], row["training_set"]) for row in entry["content"]] == [
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
