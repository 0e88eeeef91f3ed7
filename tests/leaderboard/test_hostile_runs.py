"""One bad run or submission never stops a board: it is left out and named."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from osbench.benchmark.manifest import Manifest
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, Board, build_board
from osbench.leaderboard.tables import board_text

from .hostile_runs import write_hostile
from .synthetic_runs import Drawn, write_run

GOOD = Drawn("proposed", 0.9, {"native": 3.0})


@pytest.fixture(scope="module")
def hostile(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with one good run and every kind of bad one."""
    runs = tmp_path_factory.mktemp("hostile") / "runs"
    good = write_run(runs, manifest, GOOD, 0)
    expected = write_hostile(runs, manifest)
    twin = write_run(runs, manifest, GOOD, 0, tag="ffffffff")
    assert good.folder.name < twin.folder.name
    return runs, expected | {twin.folder.relative_to(runs).as_posix(): "the same entry and seed"}


def test_the_good_run_is_shown_and_every_other_is_listed_with_its_reason(
    hostile: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    runs, expected = hostile
    board = build_board(runs, bootstrap=20)
    assert [(entry.method, entry.seeds) for entry in board.entries] == [("proposed", (0,))]
    assert board.entries[0].runs == ("proposed/seed0-0a1b2c3d",)
    found = {item.run: item.reason for item in board.refused}
    assert found.keys() == expected.keys()
    for name, reason in expected.items():
        assert re.search(reason, found[name]), (name, found[name])
        assert found[name].isprintable()
        assert len(found[name]) <= 510
        assert str(runs) not in found[name]
    board.save(tmp_path)
    document = json.loads((tmp_path / JSON_FILE).read_text())
    assert {item["run"] for item in document["refused"]} == expected.keys()
    assert "seed0-ffffffff" in (tmp_path / PAGE_FILE).read_text()
    assert f"left out: {len(expected)}" in board_text(board)


def test_it_takes_less_than_two_minutes_and_4_gb(hostile: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    arguments = ["leaderboard", "build", str(hostile[0]), "--out", str(tmp_path / "site"), "--bootstrap", "20"]
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", "from osbench.cli import main; main()", *arguments],
        env=os.environ | {"OSBENCH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 120
    assert Board.from_json(json.loads((tmp_path / "site" / JSON_FILE).read_text())).entries[0].method == "proposed"


def test_a_folder_that_may_not_be_read_does_not_vanish(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "runs", manifest, GOOD, 0)
    closed = write_run(tmp_path / "runs", manifest, Drawn("closed", 0.5, {"msp": 1.0}), 0).folder.parent
    look = Path.iterdir

    def refuse(path: Path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    board = build_board(tmp_path / "runs", bootstrap=2)
    assert [(item.run, item.reason) for item in board.refused] == [("closed", "cannot be read (Permission denied).")]
