"""``osbench pretrain``: files and errors as a user meets them."""

import json

import pytest
from click.testing import CliRunner

from osbench.cli import main


def run(*arguments) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["pretrain", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


SMALL = ("--crop-size", 32, "--crops", 1, "--scene-count", 3, "--epochs", 1)


def test_virtual_cameras_to_a_file(tmp_path):
    out = tmp_path / "w.safetensors"
    code, stdout, _ = run("--virtual", 2, *SMALL, "--out", out, "--json", "--float16")
    assert code == 0
    card = json.loads(stdout)
    assert card["cameras"] == 2
    assert card["accuracy"]["chance"] == 0.5
    assert out.stat().st_size < 1_000_000
    code, stdout, _ = run("--virtual", 2, *SMALL, "--out", out)
    assert code == 0
    assert "stand-in" in stdout
    assert f"init={out}" in stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--virtual", 1), 2, "at least two cameras"),
        (("--virtual", 2, "--network", "mislnat"), 2, "Did you mean 'mislnet'?"),
        (("--virtual", 2, "--crop-size", 16), 2, "at least 32 px"),
        (("--virtual", 2, "--device", "cuda:99"), 2, "device"),
        (("--cameras", "nowhere"), 1, "nowhere: no such folder"),
        (("--cameras", "x", "--virtual", 70), 2, "does not go with --cameras"),
        (("--scenes", "x", "--scene-count", 9), 2, "does not go with --scenes"),
        (("--labels", "exif"), 2, "needs --cameras"),
        (("--darktable", "nowhere"), 1, "no noiseprofiles.json"),
    ],
)
def test_errors_are_one_line(tmp_path, arguments, code, message):
    given = (*arguments, "--out", tmp_path / "w.safetensors")
    if "--scene-count" not in arguments and "--cameras" not in arguments:
        given += ("--scene-count", 3)
    exit_code, _, stderr = run(*given)
    assert exit_code == code
    assert message in stderr
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
