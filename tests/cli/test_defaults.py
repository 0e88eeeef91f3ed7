"""Verbs without options, in a folder of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osbench.cli import main
from tests.benchmark.tiny_dataset import CROP, GENERATORS, METHOD_FILE, write_sources


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_step_that_was_skipped_is_named_with_its_command(here: Path, tmp_path: Path) -> None:
    method = tmp_path / "method.py"
    method.write_text(METHOD_FILE.replace("nearest-colour", "nearest-colour-skipped"))
    cases = [
        ("no dataset in ./data: run `osbench generate` first.", ["split"]),
        ("no dataset in ./data: run `osbench generate` first.", ["split", "--unseen", "stylegan"]),
        ("no dataset in ./data: run `osbench generate` first.", ["verify"]),
        ("no dataset in ./data: run `osbench generate` first.", ["evaluate", "--method", method]),
        ("other: not a dataset", ["split", "other"]),
        ("no runs folder ./runs: run `osbench evaluate --method proposed` first.", ["score"]),
        ("no runs folder ./runs: run `osbench evaluate --method proposed` first.", ["compare", "proposed", "fsm"]),
        ("no runs folder ./runs: run `osbench evaluate --method proposed` first.", ["pack"]),
        ("no runs folder ./runs: run `osbench evaluate --method proposed` first.", ["leaderboard", "build"]),
        ("no runs folder ./runs: run `osbench evaluate --method proposed` first.", ["submit", "--to", "board"]),
        ("no runs folder other: run `osbench evaluate --method proposed --out other` first.", ["pack", "other"]),
    ]
    for message, arguments in cases:
        result = call(*arguments)
        assert (result.exit_code, result.stdout) == (1, ""), (arguments, result.output)
        assert result.stderr.startswith(f"osbench: error: {message}")
        assert result.stderr.count("\n") == 1
    assert not list(here.iterdir())


def test_evaluate_without_a_method_names_the_methods(here: Path) -> None:
    result = call("evaluate")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("osbench: error: say which method: --method NAME, a file.py or all. Known: ")
    assert "dct-cnn, " in result.stderr
    assert ", proposed, " in result.stderr


def test_the_verbs_one_after_the_other(here: Path, tmp_path: Path) -> None:
    """Each works on what the one before it left, and says where it lies and what comes next."""
    method = tmp_path / "method.py"
    method.write_text(METHOD_FILE.replace("nearest-colour", "nearest-colour-here"))
    suite = write_sources(tmp_path / "sources", GENERATORS, 20, CROP + 8)
    made = call("generate", "--suite", suite)
    assert made.exit_code == 0, made.stderr
    assert made.stdout.startswith("data: 100 images from 5 sources, all of them new (suite tiny, crops of ")
    assert made.stdout.splitlines()[-1] == "Next: osbench evaluate --method proposed"
    assert call("verify").stdout == "data: 5 shards, all sound\n"
    split = call("split")
    assert " -> data/manifests/fang2023.parquet" in split.stdout
    assert split.stdout.splitlines()[-1] == "Next: osbench evaluate --method proposed"

    evaluated = call("evaluate", "--method", method)
    assert evaluated.exit_code == 0, evaluated.output
    lines = evaluated.stdout.splitlines()
    assert lines[0] == "Dataset data, protocol fang2023, runs in runs:"
    assert lines[-1] == "Next: osbench leaderboard build"
    scored = call("score", "--bootstrap", 2, "--json")
    assert json.loads(scored.stdout)["run"] == lines[1]
    photo = tmp_path / "sources" / "progan" / "003.png"
    assert json.loads(call("attribute", photo, "--json").stdout)[0]["source"] == "progan"
    built = call("leaderboard", "build", "--bootstrap", 2)
    assert built.exit_code == 0, built.output
    assert built.stdout.splitlines()[-1] == str(here / "site" / "index.html")
    assert "progan" in (here / "site" / "index.html").read_text()
    assert call("submit", "--to", "board").stdout.startswith("submitted: board")
    packed = call("pack")
    assert packed.exit_code == 0, packed.output
    assert (here / "packed" / "nearest-colour-here").is_dir()
    assert sorted(p.name for p in here.iterdir()) == ["board", "data", "packed", "runs", "site"]

    assert call("evaluate", "--method", method, "--seeds", 2).exit_code == 0
    for arguments in (["score"], ["attribute", photo]):
        several = call(*arguments)
        assert several.exit_code == 2
        assert several.stderr.startswith(
            "osbench: error: ./runs holds 2 runs: say which one (runs/nearest-colour-here/"
        )
