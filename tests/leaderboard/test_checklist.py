"""The checklist is read from the runs: what they do not say is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.run_info import Git, RunInfo
from osbench.leaderboard.board import build_board
from osbench.leaderboard.checklist import checklist, checklist_text
from osbench.leaderboard.submit import submit

from .synthetic_runs import Drawn, run_info, write_run

METHOD = Drawn("proposed", 0.9, {"native": 3.0})
CLEAN = Git("a" * 40, dirty=False)


@pytest.fixture
def runs(manifest: Manifest) -> list[RunInfo]:
    """Three seeds that say everything."""
    versions = {"python": "3.11.7", "osbench": "0.1.0", "numpy": "2.4.6"}
    return [replace(run_info(manifest, METHOD, seed), git=CLEAN, versions=versions) for seed in range(3)]


def missing(runs: list[RunInfo]) -> list[str]:
    return [item.found for item in checklist(runs) if not item.ok]


def test_runs_that_say_everything_miss_nothing(runs: list[RunInfo]) -> None:
    assert missing(runs) == []
    text = checklist_text(checklist(runs))
    assert text.count("- [x] ") == len(checklist(runs))
    assert "a revision of the source without changes, or a release: aaaaaaaaaaaa" in text


def test_each_gap_is_named(runs: list[RunInfo]) -> None:
    first, *others = runs
    card, config = first.card, first.config

    def with_first(**changes: object) -> list[RunInfo]:
        return [replace(first, **changes), *others]  # type: ignore[arg-type]

    assert missing(runs[:2]) == ["2 seeds"]
    assert missing(with_first(git=Git("b" * 40, dirty=True))) == ["bbbbbbbbbbbb with changes and aaaaaaaaaaaa"]
    assert missing(with_first(versions={"osbench": "0.1.0"})) == ["not of python, numpy"]
    assert missing(with_first(git=None, versions={"python": "3", "numpy": "2"})) == [
        "no source tree, and no release",
        "not of osbench",
    ]
    assert missing(with_first(config=replace(config, method_sha256="c" * 64))) == ["a file, SHA-256 cccccccc"]
    assert missing(with_first(config=replace(config, options={**config.options, "more": 1}))) == ["1 of 2 changed"]
    assert missing(with_first(card=replace(card, paper=" "))) == ["nothing"]
    assert missing(with_first(card=replace(card, faithful=[], deviations=[]))) == ["0 faithful, 0 not"]
    assert missing(with_first(card=replace(card, licence=""))) == ["nothing"]
    assert len(missing(with_first(precision=""))) == 1


def test_one_fit_is_enough_of_a_method_that_draws_nothing_and_a_release_of_no_source_tree(runs: list[RunInfo]) -> None:
    alone = replace(runs[0], card=replace(runs[0].card, deterministic=True), git=None)
    assert missing([alone]) == []
    found = [item.found for item in checklist([alone])]
    assert found[:2] == ["1 seed, deterministic", "osbench 0.1.0, installed"]


def test_a_receipt_and_a_board_have_it(manifest: Manifest, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "runs", manifest, METHOD, seed) for seed in (0, 1)]
    receipt = submit(tmp_path / "runs", str(tmp_path / "shared"))
    expected = checklist([run.info for run in runs])
    assert receipt.checklist == expected
    assert receipt.to_json()["checklist"][0] == {"question": expected[0].question, "ok": False, "found": "2 seeds"}
    assert build_board(tmp_path / "runs", bootstrap=5).entries[0].checklist == expected
