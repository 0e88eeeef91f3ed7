from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from osbench.core.errors import DatasetError
from osbench.generation.training import __main__ as command_line
from osbench.generation.training import processes, redo
from osbench.generation.training.stand_in import stand_in_pictures


@pytest.fixture(autouse=True)
def process_settings() -> Iterator[None]:
    """The command line sets these for its whole process."""
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(1)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command_line.main, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_processes_run_side_by_side_and_failures_are_named(tmp_path: Path) -> None:
    commands = {
        "good": ["--help"],
        "bad": ["--work", str(tmp_path), "train", "stylegan9/landscape"],
    }
    assert processes.run_commands(commands, 2, tmp_path / "logs") == ["bad"]
    assert "Redo the packaged zoo" in (tmp_path / "logs/good.log").read_text()
    assert "Did you mean 'stylegan" in (tmp_path / "logs/bad.log").read_text()
    assert "Traceback" not in (tmp_path / "logs/bad.log").read_text()


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Sequence[str]]]:
    """A working folder with crops of two training sets, codes of one; what `all` would start is kept, not run."""
    for name in ("landscape", "emoji"):
        np.save(tmp_path / f"{name}-bank.npy", np.zeros((1, 64, 64, 3), np.uint8))
    (tmp_path / "emoji-codes.npz").touch()
    started = []

    def run(commands: Mapping[str, Sequence[str]], jobs: int, logs: Path) -> list[str]:
        started.append(commands)
        return [name for name in commands if "taming" in name]

    monkeypatch.setattr(command_line, "run_commands", run)
    return started


def test_all_teaches_then_trains_the_longest_first(commands: list[Mapping[str, Sequence[str]]], tmp_path: Path) -> None:
    folder = tmp_path / "stylegan2-landscape"
    folder.mkdir()
    curve = [{"seconds": 0, "swd": 300.0}, {"seconds": 60, "swd": 90.0}]
    (folder / "progress.json").write_text(json.dumps({"seconds": 60, "images": 32, "curve": curve}))
    code, output = invoke("--work", str(tmp_path), "--device", "auto", "all", "--jobs", "3", "--minutes", "2")
    teach, train = commands
    assert list(teach) == ["teach-landscape"]
    assert len(train) == 14
    assert next(iter(train)).startswith("latent_diffusion")
    argv = train["stylegan2-emoji"]
    assert argv[-4:] == ["train", "stylegan2/emoji", "--minutes", "2.0"]
    assert argv[argv.index("--device") + 1] == "auto"
    assert "stylegan2/landscape: 1.0 minutes, 32 images, distance 300.0 -> 90.0" in output
    assert "progan/emoji: not begun" in output
    assert code == 1
    assert "failed: taming-emoji, taming-landscape" in output


def test_all_of_some(commands: list[Mapping[str, Sequence[str]]], tmp_path: Path) -> None:
    code, _ = invoke("--work", str(tmp_path), "all", "progan/emoji")
    assert code == 0
    assert [list(c) for c in commands] == [["progan-emoji"]]
    with pytest.raises(Exception, match="unknown model 'progam'"):
        invoke("--work", str(tmp_path), "all", "progam/emoji")


def test_all_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'pack' step"):
        invoke("--work", str(tmp_path), "all")


def test_all_trains_in_processes_of_its_own(tmp_path: Path) -> None:
    """The packaged plan at its real size, for a second each: pictures are the only thing that is small."""
    pictures = stand_in_pictures(96, count=24)
    for part, count in (("bank", 64), ("held", 16)):
        crops, labels = pictures.crops(64, count, held_out=part == "held")
        np.save(tmp_path / f"landscape-{part}.npy", crops)
        np.save(tmp_path / f"landscape-{part}-labels.npy", labels)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "landscape-codes.npz", mean=rng.normal(size=(64, 64)).astype("f4"), std=np.ones((64, 64), "f4"))
    models = ("progan/landscape", "stylegan2/landscape")
    code, output = invoke("--work", str(tmp_path), "all", *models, "--jobs", "2", "--minutes", "0.01")
    assert code == 0, output
    assert output.count(" minutes, ") == 2
    for model in models:
        folder = tmp_path / model.replace("/", "-")
        assert {path.name for path in folder.iterdir()} == {"state.pt", "grid.png", "curve.svg", "progress.json"}
    code, output = invoke("--work", str(tmp_path), "export", "--out", str(tmp_path / "zoo"))
    assert code == 0, output
    assert sorted(path.name for path in (tmp_path / "zoo").glob("*.safetensors")) == [
        "progan-landscape.safetensors",
        "stylegan2-landscape.safetensors",
    ]


@pytest.mark.parametrize(("last", "code"), [(50.0, 0), (120.0, 1)])
def test_redo_exits_by_what_was_reached(last: float, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redo, "redo", lambda *_: redo.Redone("progan/emoji", "emoji pictures", 100.0, last, 2.0))
    exit_code, output = invoke("redo", "progan/emoji")
    assert exit_code == code
    assert "distance 100.0 at the start" in output
    assert ("NOT lowered" in output) == (code == 1)


def test_usage_errors() -> None:
    assert invoke("--suite", "maxi", "train", "x/y")[0] == 2
    assert invoke("pack", "portraits", "--from", "/")[0] == 2
    assert invoke("train", "progan/emoji", "--minutes", "0")[0] == 2
