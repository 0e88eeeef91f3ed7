"""The run that comes with the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.baselines.packaged_run import FOLDER, packaged_run
from osbench.baselines.packaged_run.__main__ import MOST_BYTES, put
from osbench.benchmark.attribute import attribute
from osbench.benchmark.attribution import Attribution
from osbench.core.errors import RunError


def test_it_is_small_and_whole() -> None:
    run = packaged_run()
    run.check_as_fitted()
    assert run.answers().threshold() < 0
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < MOST_BYTES
    assert {"untouched", "virtual_camera"} <= set(run.class_names)


def test_it_answers_and_says_what_it_knows(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 130, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    (answer,) = attribute([tmp_path / "x.png"], packaged_run())
    assert isinstance(answer, Attribution)
    assert len(answer.crops) == 2
    assert (answer.source, answer.confidence) == ("unknown", "high")
    assert answer.scope.cameras == ("untouched", "virtual_camera")
    assert set(answer.scope.unseen_refused) == {"latent_diffusion", "stylegan"}


def test_putting_it_into_place_keeps_every_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = packaged_run()
    made = put(run, tmp_path / "run")
    mine, theirs = run.answers(), made.answers()
    assert np.array_equal(mine.test.known_score, theirs.test.known_score)
    assert np.array_equal(mine.test.candidate, theirs.test.candidate)
    assert {path.name for path in made.model.iterdir()} == {"model.safetensors", "method.json"}
    monkeypatch.setattr("osbench.baselines.packaged_run.__main__.MOST_BYTES", 1000)
    with pytest.raises(RunError, match="fit it to fewer images"):
        put(run, tmp_path / "other")


def test_asking_it_loads_no_torch(tmp_path: Path) -> None:
    Image.new("RGB", (60, 60), (90, 90, 200)).save(tmp_path / "x.png")
    code = (
        "import sys, osbench\n"
        f"(answer,) = osbench.attribute({str(tmp_path / 'x.png')!r})\n"
        "heavy = {'torch', 'sklearn', 'transformers', 'diffusers', 'datasets', 'matplotlib'}\n"
        "print(answer.source, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]"
