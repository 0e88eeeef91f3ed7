"""``osbench attribute`` for people who must decide."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from osbench.cli import main


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["attribute", *map(str, arguments)])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without runs and with a few pictures."""
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (60, 60 + 50 * i, 3), np.uint8)
        (tmp_path / "scans").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "scans" / f"{i}.png")
    (tmp_path / "scans" / "bad.jpg").write_text("no picture")
    return tmp_path


def test_a_folder_a_pattern_and_a_list_with_the_run_of_the_package(elsewhere: Path) -> None:
    pattern = json.loads(call("scans/*.png", "--json").stdout)
    assert [Path(row["image"]).name for row in pattern] == ["0.png", "1.png", "2.png"]
    assert all("no proof" in row["scope"]["sentences"][-1] for row in pattern)
    folder = call("scans", "--json")
    assert folder.exit_code == 1
    rows = json.loads(folder.stdout)
    assert [Path(row["image"]).name for row in rows] == ["0.png", "1.png", "2.png", "bad.jpg"]
    assert [row.get("source") for row in rows] == [*(row["source"] for row in pattern), None]
    assert "1 of 4 images have no answer" in folder.stderr
    (elsewhere / "list.txt").write_text("scans/2.png\nscans/0.png\n")
    listed = json.loads(call("--list", "list.txt", "--json").stdout)
    assert [row["image"] for row in listed] == ["scans/2.png", "scans/0.png"]
    assert [len(row["crops"]) for row in json.loads(call("scans/2.png", "--crops", "2", "--json").stdout)] == [2]


def test_csv_and_html_are_written_with_every_row(elsewhere: Path) -> None:
    result = call("scans", "--csv", "answers.csv", "--html", "report.html", "--quiet")
    assert result.exit_code == 1
    assert "What the answers rest on:" in result.stdout
    rows = list(csv.DictReader((elsewhere / "answers.csv").open()))
    assert [bool(row["error"]) for row in rows] == [False, False, False, True]
    page = (elsewhere / "report.html").read_text()
    assert page.count("<article") == 4
    assert page.count("data:image/jpeg") == 3


def test_bad_requests_are_one_line_and_write_nothing(elsewhere: Path) -> None:
    for words, said in (
        ((), "no picture to attribute"),
        (("scans/0.png", "--camera", "leica"), "unknown source of this run 'leica'"),
        (("scans/0.png", "--threshold-rule", "oracle-harmonic"), "looks at test labels"),
        (("--list", "scans/0.png"), "is no list of files"),
        (("scans/0.png", "--caption", "a cat"), "reads no captions"),
    ):
        result = call(*words, "--html", "report.html")
        assert result.exit_code == 2, words
        assert said in result.stderr
        assert not (elsewhere / "report.html").exists()
