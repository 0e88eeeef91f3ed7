from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from osbench.cli import main
from osbench.generation.families import family_class, save_generator


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    torch.manual_seed(0)
    network = family_class("projected_gan")(z_dim=8, img_resolution=32, ngf=2, img_channels=3, blocks="lite")
    with torch.no_grad():
        network.get_parameter("synthesis.to_big.weight").mul_(1e4)
    save_generator(network, folder / "gan.safetensors")
    source = {
        "generator": "gan",
        "training_set": "noise",
        "architecture": "GAN",
        "licence": "MIT",
        "weights": "gan.safetensors",
        "native_size": 32,
    }
    recipe = {"crop_size": 20, "shard_rows": 4, "batch_size": 2}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump({"name": "s", "version": "s-1", "count": 6, "recipe": recipe, "sources": [source]}))
    return path


def osbench(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_generate_then_verify(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    made = osbench("generate", "--suite", suite, "--out", out, "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout) == {"dataset": str(out), "sources": ["gan/noise"], "images": 6, "made": 6}
    assert made.stderr == ""
    again = osbench("generate", "--suite", suite, "--out", out)
    assert again.stdout == f"{out}: 6 images from 1 source, nothing to make\n"
    grown = osbench("generate", "--suite", suite, "--out", out, "--count", 10)
    assert grown.stdout == f"{out}: 10 images from 1 source, 6 of them new\n"
    fewer = osbench("generate", "--suite", suite, "--out", out, "--count", 8)
    assert fewer.exit_code == 1
    assert "holds 10 images of gan/noise, more than the 8 asked for" in fewer.stderr
    dry = osbench("generate", "--suite", suite, "--out", out, "--count", 8, "--dry-run")
    assert dry.stderr == fewer.stderr
    sound = osbench("verify", out, "--pixels")
    assert sound.exit_code == 0
    assert sound.stdout == f"{out}: 3 shards, all sound\n"


def test_verify_reports_and_generate_rebuilds(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    osbench("generate", "--suite", suite, "--out", out)
    shard = sorted(out.rglob("*.parquet"))[0]
    os.truncate(shard, 100)
    assert osbench("verify", out).stdout.splitlines()[-1] == f"{out}: 1 problem"
    broken = osbench("verify", out, "--json")
    assert broken.stderr == ""
    assert broken.exit_code == 1
    (problem,) = json.loads(broken.stdout)["problems"]
    assert problem["file"] == shard.relative_to(out).as_posix()
    assert "SHA-256 differs" in problem["reason"]
    assert osbench("generate", "--suite", suite, "--out", out).exit_code == 0
    assert osbench("verify", out).exit_code == 0


def test_verify_regenerate(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    osbench("generate", "--suite", suite, "--out", out)
    again = osbench("verify", out, "--regenerate", 2, "--suite", suite, "--record", "--json")
    assert again.exit_code == 0, again.stderr
    (row,) = json.loads(again.stdout)["regenerated"]
    assert (row["source"], row["images"], row["verdict"]) == ("gan/noise", 2, "bit-exact")
    assert "bit-exact" in (out / "README.md").read_text()
    text = osbench("verify", out, "--regenerate", 2, "--suite", suite).stdout
    assert "gan/noise: bit-exact (2 of 2 images bit-exact, 2 within one level)" in text


def test_dry_run(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    planned = osbench("generate", "--suite", suite, "--out", out, "--dry-run", "--count", 50, "--json")
    assert planned.exit_code == 0, planned.stderr
    (row,) = json.loads(planned.stdout)
    assert (row["source"], row["images"], row["shards"]) == ("gan/noise", 50, 13)
    text = osbench("generate", "--suite", suite, "--out", out, "--dry-run").stdout
    assert "measured on 2 images" in text
    assert not out.exists()


def test_from_folder(suite: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(photos / "a.jpg")
    options = ("--suite", suite, "--out", tmp_path / "data", "--source", "own")
    made = osbench("generate", *options, "--from-folder", f"own={photos}", "--folder-licence", "CC0-1.0", "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["sources"] == ["own/folder"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--suite", "minni"], 2, "Did you mean 'mini'"),
        (["--source", "gna"], 2, "Did you mean 'gan'"),
        (["--from-folder", "x"], 2, "NAME=DIR"),
        (["--from-folder", "x=a", "--from-folder", "x=b"], 2, "--from-folder names 'x' twice: a and b"),
        (["--source", "gan", "--from-folder", "x=/nonexistent"], 1, "no such folder of images"),
        (["--dry-run", "--device", "nonsense"], 2, "cannot be used on this machine"),
        (["--from-folder", "x=/nonexistent"], 1, "no such folder of images"),
        (["--count", "0"], 2, "at least 1"),
        (["--count", "many"], 2, "not a valid integer"),
    ],
)
def test_errors_are_one_line_with_the_right_code(
    suite: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    result = osbench("generate", "--suite", suite, "--out", tmp_path / "data", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_verify_of_no_dataset(tmp_path: Path) -> None:
    result = osbench("verify", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"osbench: error: {tmp_path}: not a dataset")
