"""A whole evaluation, and questions about laundered images, on another device."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.robustness.asking import launder_runs
from osbench.benchmark.robustness.treatments import Cell, Grid
from osbench.benchmark.runs import Run
from osbench.generation.dataset import Dataset
from tests.second_device import NAME, one_random_stream, register

register()
OPTIONS = {"batch_size": 8}
GRID = Grid(quality=(50,), phase=(0,), resize=(1.0,), blur=(0.0,))


def run_of(dataset: Dataset, manifest: Manifest, out: Path, device: str) -> Run:
    with one_random_stream():
        (run,) = evaluate("proposed", dataset, manifest, seeds=[0], out=out, device=device, options=OPTIONS, epochs=1)
        launder_runs([run], dataset, manifest, GRID, device=device)
    return run


def test_same_answers(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    here, there = (run_of(dataset, manifest, tmp_path / device, device) for device in ("cpu", NAME))
    assert here.info.hardware.device == "cpu"
    assert there.info.hardware.device == NAME
    for name in ("known_score", "class_scores"):
        a, b = (getattr(run.predictions().scores("native"), name) for run in (here, there))
        np.testing.assert_allclose(a, b, rtol=0.02, atol=0.02)
    a, b = (run.laundered(manifest)[Cell(quality=50)].known_score["native"] for run in (here, there))
    np.testing.assert_allclose(a, b, rtol=0.02, atol=0.02)
