"""A run that somebody else made names a Python file as its method: refused in one line, and nothing is imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.cli import main
from osbench.generation.dataset import Dataset

CANARY = """
from pathlib import Path
Path(__file__).with_suffix(".canary").touch()
"""


@pytest.fixture
def foreign(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path) -> Path:
    """A real run, to be tampered with."""
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path / "runs")[0].folder


def save_image(dataset: Dataset, folder: Path) -> Path:
    (data,) = dataset.read_images(str(dataset.index()["shard"].iloc[0]), [0])
    (folder / "image.png").write_bytes(data)
    return folder / "image.png"


def osbench(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", ["{folder}/x.py", "runs/x.py", "x.py", "nearest-colour.py", "../x", "a/b", "", "m\n"])
@pytest.mark.parametrize("verb", ["attribute", "score", "leaderboard", "launder"])
def test_a_method_that_is_no_registered_name_is_refused(
    dataset: Dataset,
    method_file: str,
    foreign: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "x.py", tmp_path / "nearest-colour.py", tmp_path / "runs/x.py", foreign / "x.py"):
        place.write_text(CANARY)
    for path in (tmp_path / "runs").glob("*/*/run.json"):
        document = json.loads(path.read_text())
        path.write_text(json.dumps(document | {"method": name.format(folder=foreign)}))
    image = save_image(dataset, tmp_path)
    arguments = {
        "attribute": ["attribute", image, "--run", foreign],
        "score": ["score", foreign],
        "leaderboard": ["leaderboard", "build", tmp_path / "runs", "--out", tmp_path / "site"],
        "launder": [
            "evaluate",
            "--method",
            method_file,
            "--data",
            dataset.path,
            "--out",
            tmp_path / "runs",
            "--launder",
        ],
    }
    result = osbench(*arguments[verb])
    assert not list(tmp_path.rglob("*.canary")), "the file that a run names was imported"
    assert result.exit_code == (0 if verb == "launder" else 1), (
        "evaluate takes it for a damaged run, and makes it again"
    )
    expected = "text on one line" if "\n" in name else "the registered name of a method"
    assert f"expected {expected}" in result.stderr
    assert "Traceback" not in result.output + result.stderr


def test_a_file_comes_from_the_user_alone(
    dataset: Dataset, manifest: Manifest, method_file: str, foreign: Path, tmp_path: Path
) -> None:
    image = save_image(dataset, tmp_path)
    assert osbench("attribute", image, "--run", foreign, "--method", method_file).exit_code == 0
