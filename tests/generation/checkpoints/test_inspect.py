"""``osbench inspect`` and the description behind it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from click.testing import CliRunner

from osbench.cli import main
from osbench.generation import inspect_checkpoint
from osbench.generation.families import save_generator
from osbench.generation.families.progan import ProGAN


def write(folder: Path, broken: bool = False) -> Path:
    torch.manual_seed(0)
    network = ProGAN(8, 4, [4, 2])
    if broken:
        torch.nn.init.constant_(network.rgb_bias, torch.nan)
    save_generator(network, folder / "g.safetensors")
    return folder / "g.safetensors"


def test_description(tmp_path: Path) -> None:
    path = write(tmp_path)
    found = inspect_checkpoint(path)
    network = ProGAN(8, 4, [4, 2])
    assert found["family"] == "progan"
    assert found["config"] == network.config
    assert found["tensors"] == len(network.state_dict())
    assert found["parameters"] == sum(p.numel() for p in network.parameters())
    assert found["bytes"] == path.stat().st_size
    assert found["warnings"] == []
    assert len(found["sha256"]) == 64


def test_broken_numbers_are_warned_about(tmp_path: Path) -> None:
    assert "NaN" in inspect_checkpoint(write(tmp_path, broken=True))["warnings"][0]


def test_command_line(tmp_path: Path) -> None:
    path = write(tmp_path)
    result = CliRunner().invoke(main, ["inspect", str(path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == inspect_checkpoint(path)
    text = CliRunner().invoke(main, ["inspect", str(write(tmp_path, broken=True))])
    assert text.exit_code == 0
    assert "progan" in text.stdout
    assert "warning" in text.stdout


def test_command_line_on_a_bad_file(tmp_path: Path) -> None:
    path = tmp_path / "quota.pkl"
    path.write_text("<html>too many downloads</html>")
    result = CliRunner().invoke(main, ["inspect", str(path), "--json"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert "web page" in result.stderr
