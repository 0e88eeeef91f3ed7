"""``list sources``, ``licences``, ``plan`` and ``generate`` of a suite whose weights are elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osbench.cli import main
from tests.fixtures.folder import CheckpointFixtures


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OSBENCH_CACHE", raising=False)
    monkeypatch.setenv("OSBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_list_sources() -> None:
    lines = run("list", "sources", "--suite", "fang2023").stdout.splitlines()
    assert len(lines) == 26
    assert "stands in: CelebA-HQ" in lines[0]
    rows = json.loads(run("list", "sources", "--suite", "fang2023", "--json").stdout)
    ffhq = next(row for row in rows if row["name"] == "stylegan2/ffhq")
    assert [file["file"] for file in ffhq["weights"]] == [
        "stylegan2-ada/ffhq.pkl",
        "stylegan2/stylegan2-ffhq-1024x1024.pkl",
    ]
    assert ffhq["weights"][0]["urls"]


def test_a_source_of_ones_own_beside_mini(tmp_path: Path) -> None:
    suite = tmp_path / "mine.yaml"
    text = (
        "extends: mini\nname: mine\nversion: mine-v1\nsources:\n  - {generator: stylegan2b, architecture: StyleGAN2b,"
    )
    suite.write_text(text + " family: stylegan2, weights: stylegan2-landscape.safetensors}\n")
    (line,) = run("list", "sources", "--suite", suite).stdout.splitlines()
    assert "stylegan2-landscape.safetensors" in line
    assert "missing" not in line
    result = run("plan", "--suite", suite, "--count", 2)
    assert result.exit_code == 0, result.output
    assert "measured on 2 images" in result.stdout
    suite.write_text(text + " family: stylegan2, weights: gone.safetensors}\n")
    (line,) = run("list", "sources", "--suite", suite).stdout.splitlines()
    assert line.endswith(f"gone.safetensors  (missing in {tmp_path})")
    result = run("generate", "--suite", suite, "--count", 2, "--out", tmp_path / "data")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"osbench: error: suite mine: 1 of 1 weight files are missing in {tmp_path}")
    assert "--weights SOURCE=FILE" in line
    assert not (tmp_path / "data").exists()


def test_licences() -> None:
    text = run("licences", "--suite", "fang2023").stdout
    assert "fang2023: NVIDIA-Source-Code-NC (not accepted yet)" in text
    assert text.count("    stylegan3/") == 3
    rows = json.loads(run("licences", "--json").stdout)
    assert {row["suite"] for row in rows} >= {"mini", "fang2023"}
    assert run("licences", "--suite", "fang2024").exit_code == 2


def test_plan_without_any_weights() -> None:
    rows = json.loads(run("plan", "--suite", "fang2023", "--json").stdout)
    assert len(rows) == 26
    assert sum(row["images"] for row in rows) == 260_000
    assert 15e9 < sum(row["download"] for row in rows) < 30e9
    assert 10e9 < sum(row["bytes"] for row in rows) < 40e9
    hours = [sum(row["gpu_hours"][k] for row in rows) for k in (0, 1)]
    assert 3 < hours[0] < hours[1] < 15
    assert all(row["gpu_origin"].startswith(("estimate: ", "published: ")) for row in rows)
    text = run("plan", "--suite", "fang2023", "--source", "taming").stdout.splitlines()
    assert len(text) == 6
    assert "6,000.0 MB" in text[2]
    assert "0.0 MB" in text[3], "the three ImageNet sets share one file"


def test_generate_without_weights_writes_nothing(tmp_path: Path, home: Path) -> None:
    result = run("generate", "--suite", "fang2023", "--out", tmp_path / "data", "--offline")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines].count("source progan/celeba") == 1
    assert len([line for line in lines if line.startswith("source ")]) == 26
    assert lines[-1] == "osbench: error: 26 of 26 sources have no weights (see above); nothing was written."
    assert not (tmp_path / "data").exists()
    assert not home.exists()


def test_generate_asks_for_the_licence(tmp_path: Path) -> None:
    result = run("generate", "--suite", "fang2023", "--source", "stylegan3", "--out", tmp_path / "data")
    assert result.exit_code == 1
    assert result.stderr.count("--accept-licence NVIDIA-Source-Code-NC") == 3
    result = run("generate", "--suite", "fang2023", "--out", tmp_path / "data", "--accept-licence", "GPL")
    assert result.exit_code == 2
    assert "unknown licence 'GPL'" in result.stderr
    assert not (tmp_path / "data").exists()


def test_generate_with_a_file_of_ones_own(tmp_path: Path, checkpoint_fixtures: CheckpointFixtures) -> None:
    name, file = "stylegan2/ffhq", checkpoint_fixtures.pickle("sg2")
    data, given = tmp_path / "data", f"{name}={file}"
    result = run("generate", "--suite", "fang2023", "--source", name, "--weights", given, "--count", 32, "--out", data)
    assert result.exit_code == 0, result.stderr
    assert "This dataset is not the fang2023 benchmark" in result.stderr
    assert result.stdout.strip() == f"{data}: 32 images from 1 sources"
    again = run("verify", data, "--pixels", "--regenerate", 2, "--weights", given)
    assert again.exit_code == 0, again.stderr
    assert "bit-exact" in again.stdout
    (row,) = json.loads(run("plan", "--suite", "fang2023", "--source", name, "--weights", given, "--json").stdout)
    assert row["download"] == 0
    assert row["origin"].startswith("measured on")
    assert run("generate", "--out", data, "--weights", "x").exit_code == 2
