from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osbench.cli import main
from osbench.generation.dataset import Dataset
from osbench.generation.generate import generate
from tests.benchmark.tiny_dataset import CROP, GENERATORS, write_sources


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    return generate(str(write_sources(folder / "sources", GENERATORS, 20, CROP)), folder / "data").path


def test_a_report_an_exit_code_and_what_is_left_behind(data: Path, tmp_path: Path) -> None:
    result = call("audit", data, "--json", "--out", tmp_path / "runs")
    assert result.exit_code == 1  # every generator has a colour of its own
    document = json.loads(result.stdout)
    gates = {gate["name"]: gate for gate in document["gates"]}
    assert (gates["colour"]["ok"], gates["trace"]["value"]) == (False, None)
    assert {"name", "accuracy", "auc_af1_crr", "low", "high"} <= set(document["probes"][0])
    assert json.loads((data / "audit.json").read_text()) == document
    card = (data / "README.md").read_text()
    assert "**Gates that fail: colour" in card
    assert f"| colour | {gates['colour']['value']:.3f} |" in card
    assert Dataset.open(data).verify() == []
    runs = {path.name for path in (tmp_path / "runs").iterdir()}
    assert {"floor-colour", "floor-trace", "manifests"} <= runs
    build = ["leaderboard", "build", tmp_path / "runs", "--data", data, "--out", tmp_path / "site", "--bootstrap", 2]
    board = json.loads(call(*build, "--json").stdout)
    assert board["audit"] == document
    assert {entry["rank"] for entry in board["entries"]} == {None}


def test_a_text_for_people(data: Path) -> None:
    result = call("audit", data, "--protocol", "rotate-one")
    assert result.exit_code == 1
    assert "gates fail" in result.stdout.splitlines()[0]
    assert "4 of rotate-one" in result.stdout


def test_tables_go_to_the_results_and_replace_those_of_before(data: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert call("audit", data, "--protocol", "rotate-one", "--results", tmp_path).exit_code == 1
    found = json.loads((tmp_path / "results.json").read_text())
    assert [one["gates"] for one in found["audits"]] == [json.loads((data / "audit.json").read_text())["gates"]]
    page = (tmp_path / "RESULTS.md").read_text()
    assert page.count("## Audit of ") == 1
    assert "**Gates that fail: " in page


def test_bad_input_is_one_line_and_nothing_is_written(data: Path, tmp_path: Path) -> None:
    two = generate(str(write_sources(tmp_path / "s", dict(list(GENERATORS.items())[:2]), 12, CROP)), tmp_path / "two")
    for arguments, message in (
        ((tmp_path / "none",), "not a dataset"),
        ((data, "--protocol", "fang2032"), "Did you mean 'fang2023'"),
        ((two.path,), "needs three generators"),
        ((data, "--run", tmp_path / "none"), "is not a run"),
        ((data, "--run", tmp_path / "none", "--protocol", "rotate"), "--run asks a fitted method"),
        ((data, "--suite", "mini"), "--suite and --method are for --run"),
    ):
        result = call("audit", *arguments)
        assert result.exit_code != 0
        assert result.output.count("\n") == 1, result.output
        assert message in result.output
    assert not (two.path / "audit.json").exists()
