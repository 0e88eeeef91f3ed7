"""discover, then enroll, then attribute: what a user does with a source that nobody has seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import build_manifest
from osbench.cli import main
from osbench.generation.generate import generate
from tests.benchmark.test_enroll import pictures
from tests.benchmark.tiny_dataset import GENERATORS, write_sources


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new-sources")
    suite = write_sources(folder / "sources", GENERATORS, 40, 40)
    data = generate(str(suite), folder / "data")
    (made,) = evaluate("osbench-1", data, build_manifest(data, "fang2023"), seeds=[0], out=folder / "runs")
    return made.folder


def test_from_rejected_images_to_a_source_with_a_name(run: Path, tmp_path: Path) -> None:
    images = pictures(tmp_path / "new", 16)
    result = call("discover", *images, "--run", run, "--out", tmp_path / "sheets", "--json")
    assert result.exit_code == 0, result.output
    (group,) = json.loads(result.stdout)["groups"]
    assert len(group["images"]) == 16
    assert Path(group["sheet"]).is_file()
    result = call("enroll", "bands", *group["images"][:10], "--run", run, "--out", tmp_path / "joined", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["sources"][-1] == "bands"
    assert document["enrolled"]["images"] == 10
    result = call("attribute", *group["images"][10:], "--run", tmp_path / "joined", "--json")
    named = [answer["source"] for answer in json.loads(result.stdout)]
    assert named.count("bands") > len(named) / 2


def test_text_for_people(run: Path, tmp_path: Path) -> None:
    images = pictures(tmp_path / "new", 12)
    (tmp_path / "bad.png").write_text("no picture")
    lines = call("discover", *images, tmp_path / "bad.png", "--run", run, "--out", tmp_path / "sheets").stdout
    assert "left out:" in lines
    assert "12 images: 12 rejected, 0 known" in lines
    assert "group-1  12      -" in lines
    lines = call("discover", *images[:3], "--run", run, "--out", tmp_path / "none").stdout
    assert "at least 10 rejected images are needed" in lines
    lines = call("enroll", "bands", images[0], "--run", run, "--out", tmp_path / "joined").stdout
    assert "bands joined 3 sources from 1 image:" in lines


def test_errors_are_one_line_and_leave_nothing(run: Path, tmp_path: Path) -> None:
    images = pictures(tmp_path / "new", 2)
    other = pictures(tmp_path / "new", 1, seed=1, size=(64, 40))
    for code, what, arguments in (
        (2, "is a source of this run already", ["progan", *images]),
        (1, "images of two sizes", ["bands", *images, *other]),
        (1, "no image to enroll is left", ["bands", tmp_path / "absent.png"]),
    ):
        result = call("enroll", *arguments, "--run", run, "--out", tmp_path / "joined")
        assert result.exit_code == code, result.output
        assert what in result.stderr
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "joined").exists()
