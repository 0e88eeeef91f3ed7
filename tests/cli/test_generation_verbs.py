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
    assert json.loads(made.stdout) == {
        "dataset": str(out),
        "suite": "s",
        "crop_size": 20,
        "sources": ["gan/noise"],
        "images": 6,
        "resyntheses": 0,
        "made": 6,
    }
    assert made.stderr == ""
    again = osbench("generate", "--suite", suite, "--out", out)
    lines = again.stdout.splitlines()
    assert lines[0] == f"{out}: 6 images from 1 source, nothing to make (suite s, crops of 20 px)"
    assert lines[1] == f"Next: osbench evaluate --method proposed --data {out}"
    grown = osbench("generate", "--suite", suite, "--out", out, "--count", 10)
    assert grown.stdout.startswith(f"{out}: 10 images from 1 source, 6 of them new (suite s, ")
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


def write_pictures(folder: Path, count: int, side: int, seed: int) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (side, side + 4, 3), dtype=np.uint8)).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``a`` to ``d`` of ten pictures; the smallest has 50 px."""
    folder = tmp_path_factory.mktemp("pictures")
    for i, name in enumerate("abcd"):
        write_pictures(folder / name, 10, 50 + 20 * i, i)
    return folder


def folders(pictures: Path, names: str) -> list[str]:
    return [part for name in names for part in ("--from-folder", f"{name}={pictures / name}")]


def test_a_dataset_of_folders_alone(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources, a suite of their own, the crop that fits: then split by the user's generators."""
    monkeypatch.chdir(tmp_path)
    dry = osbench("generate", *folders(pictures, "abcd"), "--dry-run", "--json")
    assert [row["images"] for row in json.loads(dry.stdout)] == [10] * 4
    assert not list(tmp_path.iterdir())
    made = osbench("generate", *folders(pictures, "abcd"), "--folder-licence", "CC0-1.0")
    assert made.exit_code == 0, made.stderr
    assert made.stdout == (
        "data: 40 images from 4 sources, all of them new (suite folders, crops of 48 px)\n"
        "Next: osbench split --unseen GENERATOR\n"
    )
    assert f"fits every picture ({pictures / 'a' / '00.png'} has 50 px); --crop-size says another" in made.stderr
    record = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert (record["suite"], record["suite_version"], record["recipe"]["crop_size"]) == ("folders", "folders-v1", 48)
    assert [source["name"] for source in record["sources"]] == [f"{name}/folder" for name in "abcd"]
    again = osbench("generate", *folders(pictures, "abcd"), "--folder-licence", "CC0-1.0", "--json")
    assert json.loads(again.stdout)["made"] == 0
    assert osbench("verify").stdout == "data: 4 shards, all sound\n"
    assert osbench("verify", "data", "--regenerate", 1, "--json").exit_code == 0

    paper = osbench("split")
    assert paper.exit_code == 1
    assert "say who is unseen with `osbench split --unseen NAME`" in paper.stderr
    split = osbench("split", "--unseen", "b", "--unseen", "d", "--name", "mine")
    assert split.exit_code == 0, split.stderr
    assert "mine: seen a, c; unseen b, d; 16 train, 2 val, 4 test" in split.stdout
    assert split.stdout.splitlines()[-1] == "Next: osbench evaluate --method proposed --protocol mine"


def test_the_crop_of_folders_is_said_or_fits(pictures: Path, tmp_path: Path) -> None:
    def made(out: str, *arguments: object) -> dict:
        result = osbench("generate", "--out", tmp_path / out, "--json", *arguments)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    large = write_pictures(tmp_path / "pictures", 1, 300, 9)
    assert made("said", *folders(pictures, "ab"), "--crop-size", 33)["crop_size"] == 33
    assert made("fits", *folders(pictures, "bd"))["crop_size"] == 64
    assert made("large", "--from-folder", f"large={large}")["crop_size"] == 256


def test_a_suite_of_folders_alone(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    sources = [{"generator": name, "folder": str(pictures / name)} for name in "abc"]
    document = {"name": "ours", "version": "ours-v1", "recipe": {"crop_size": 40}, "sources": sources}
    path.write_text(yaml.safe_dump(document))
    made = osbench("generate", "--suite", path, "--out", tmp_path / "data", *folders(pictures, "d"), "--json")
    assert made.exit_code == 0, made.stderr
    found = json.loads(made.stdout)
    assert (found["suite"], found["crop_size"], found["images"]) == ("ours", 40, 40)
    assert found["sources"] == ["a/folder", "b/folder", "c/folder", "d/folder"]
    record = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert {(s["architecture"], s["licence"]) for s in record["sources"]} == {(n, "not stated") for n in "abcd"}
    sources.append({"generator": "gan", "training_set": "x", "architecture": "GAN", "licence": "MIT", "weights": "w"})
    path.write_text(yaml.safe_dump(document))
    refused = osbench("generate", "--suite", path, "--out", tmp_path / "other")
    assert "ours.yaml: count is missing; expected a whole number." in refused.stderr


def test_folders_that_cannot_be_a_dataset_are_one_line(suite: Path, pictures: Path, tmp_path: Path) -> None:
    own, tiny, bad = folders(pictures, "ab"), write_pictures(tmp_path / "tiny", 1, 7, 0), tmp_path / "bad"
    bad.mkdir()
    (bad / "x.png").write_text("no picture")
    out = tmp_path / "data"
    cases = [
        (2, "--crop-size is for folders without --suite", [*own, "--suite", suite, "--crop-size", 20]),
        (2, "--crop-size is for folders without --suite", ["--crop-size", 20]),
        (2, "crop_size is 0; expected 1 to", [*own, "--crop-size", 0]),
        (1, "00.png: 54x50 is smaller than the 60 px crop", [*own, "--crop-size", 60]),
        (1, f"{tiny / '00.png'}: 7 px is too small for a crop", [*own, "--from-folder", f"tiny={tiny}"]),
        (1, f"{bad / 'x.png'}: is not a readable image", [*own, "--from-folder", f"bad={bad}"]),
        (1, "no such folder of images", ["--from-folder", f"x={tmp_path / 'none'}"]),
        (2, "say which one with --suite", [*own, "--source", "progan"]),
        (2, "'a b'", ["--from-folder", f"a b={pictures / 'a'}"]),
    ]
    for code, message, arguments in cases:
        result = osbench("generate", "--out", out, *arguments)
        assert result.exit_code == code, (arguments, result.output)
        assert message in result.stderr
        assert result.stderr.count("\n") == 1 + ("crops of" in result.stderr), result.stderr
        assert result.stdout == ""
    assert not out.exists()


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
