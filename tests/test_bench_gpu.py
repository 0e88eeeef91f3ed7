"""The script for machines with a GPU runs here at toy size; its numbers are not looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from . import bench_gpu


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_gpu.main([]) == 0
    assert "sees no GPU here; nothing was measured" in capsys.readouterr().out


@pytest.mark.slow
def test_every_figure_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert bench_gpu.main(["--device", "cpu", "--quick", "--suite", "mini-v1"]) == 0
    results = json.loads((tmp_path / "build/bench-gpu.json").read_text())
    assert len(results["generation"]) == 7
    assert set(results["training"]) == {"float32", "bfloat16"}
    assert all(v > 0 for rates in results["generation"].values() for v in rates.values())
    assert all(v > 0 for figures in results["training"].values() for v in figures.values())
