"""The fitted method of a run that anybody may have made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.models import load_model
from osbench.benchmark.runs import Run
from osbench.core.errors import RunError
from osbench.generation.dataset import Dataset


@pytest.fixture
def run(dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path) -> Run:
    return evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path / "runs")[0]


def test_it_is_the_fitted_one(run: Run) -> None:
    assert load_model(run).name == "nearest-colour"


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link_out(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _folder_out(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.symlink_to("/etc")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a list": (lambda p: p.write_text("[]"), "model cannot be loaded: TypeError: list indices"),
    "deep": (lambda p: p.write_text("[" * 100_000), "model cannot be loaded: RecursionError: "),
    "a key less": (lambda p: p.write_text("{}"), "model cannot be loaded: KeyError: 'options'"),
    "an option": (lambda p: p.write_text('{"options": {"x": 1}}'), "cannot be loaded: unknown option"),
    "lines": (lambda p: p.write_text('{"options": {"a\\nb": 1}}'), "cannot be loaded: unknown option"),
    "gone": (lambda p: p.unlink(), "model cannot be loaded: FileNotFoundError"),
    "a pipe": (_pipe, "is a named pipe, not a regular file"),
    "a link out": (_link_out, "leads out of the run: refused"),
    "a folder out": (_folder_out, "leads out of the run: refused"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_hostile_model_is_one_line(case: str, run: Run) -> None:
    change, message = DAMAGE[case]
    change(run.model / "model.json")
    with pytest.raises(RunError) as caught:
        load_model(run)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
