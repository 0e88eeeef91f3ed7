"""The suites of 128 px, before and after their weights are there (untrained ones take their place here)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from osbench.cli import main
from osbench.generation.catalog import suite_file
from osbench.generation.dataset import Dataset
from osbench.generation.families import family_class, save_generator
from osbench.generation.training.plan import load_plan

PLAN = load_plan("mini-v2")


def osbench(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty packaged zoo."""
    monkeypatch.setattr(suite_file, "ZOO", tmp_path / "zoo")
    folder = tmp_path / "zoo" / PLAN.zoo
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("suite", ["mini-v2", "mini-v2-128"])
def test_without_weights_there_is_a_plan(suite: str, zoo: Path) -> None:
    code, text, _ = osbench("plan", "--suite", suite)
    assert code == 0
    assert text.splitlines()[-1].split()[:2] == ["all", "4,200"]


@pytest.mark.parametrize(("verb", "suite"), [("generate", "mini-v2"), ("generate", "mini-v2-128"), ("run", "mini-v2")])
def test_without_weights_one_line_says_what_is_missing(verb: str, suite: str, zoo: Path, tmp_path: Path) -> None:
    code, _, error = osbench(verb, "--suite", suite, "--out", tmp_path / "out")
    assert code == 1
    assert error.splitlines()[-1].startswith(f"osbench: error: suite {suite}: 14 of 14 weight files are missing")
    assert "generation/training/README.md" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("suite", "crop"), [("mini-v2", 64), ("mini-v2-128", 128)])
def test_with_weights_both_crops_are_made(suite: str, crop: int, zoo: Path, tmp_path: Path) -> None:
    for generator in ("progan", "stylegan2"):
        torch.manual_seed(0)
        network = family_class(generator)(**PLAN.recipe(generator).config)
        save_generator(network, zoo / f"{generator}-emoji.safetensors")
    sources = ("--source", "progan/emoji", "--source", "stylegan2/emoji")
    data = tmp_path / "data"
    code, _, error = osbench("generate", "--suite", suite, *sources, "--count", 3, "--out", data)
    assert code == 0, error
    dataset = Dataset.open(data)
    assert (dataset.crop_size, dataset.sources()) == (crop, ["progan/emoji", "stylegan2/emoji"])
    assert {source["native_size"] for source in dataset.info["sources"]} == {128}
    assert osbench("verify", data, "--pixels", "--regenerate", 2)[0] == 0
