"""Rejected images are grouped into likely new sources."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osbench.benchmark.discover import discover
from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run
from osbench.core.errors import DatasetError, RunError, UsageError
from osbench.generation.dataset import Dataset

from .test_enroll import pictures


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate("osbench-1", dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))[0]


def columns(folder: Path, count: int) -> list[Path]:
    """Another source that the run does not know: noise in narrow columns, half of it JPEG."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(3)
    paths = []
    for i in range(count):
        wide = rng.normal(0, 40, (1, 24, 1)).repeat(2, axis=1).repeat(40, axis=0)
        pixels = (130 + wide + rng.normal(0, 2, (40, 48, 3))).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"columns-{i}.{'jpg' if i % 2 else 'png'}")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def test_two_new_sources_are_two_groups(run: Run, tmp_path: Path) -> None:
    new = [*pictures(tmp_path / "a", 24), *columns(tmp_path / "b", 20)]
    found = discover(new, run, out=tmp_path / "sheets")
    assert found.rejected >= 40
    assert found.rejected + len(found.accepted) == len(new)
    assert [len(one.images) for one in found.groups] == sorted((len(one.images) for one in found.groups), reverse=True)
    for one in found.groups:
        folders = [Path(image).parent.name for image in one.images]
        assert max(folders.count("a"), folders.count("b")) >= 0.9 * len(folders)
        assert one.silhouette > 0
        assert one.most_alike in run.class_names
        assert one.sheet == str(tmp_path / "sheets" / f"{one.name}.png")
        with Image.open(tmp_path / "sheets" / f"{one.name}.png") as sheet:
            assert sheet.size == (8 * 34 - 2, -(-len(one.images) // 8) * 34 - 2)
    assert len(found.groups) == 2
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert sum(len(one["images"]) for one in document["groups"]) == document["rejected"]


def test_one_new_source_is_one_group(run: Run, tmp_path: Path) -> None:
    found = discover(pictures(tmp_path / "a", 40), run)
    assert [one.sheet for one in found.groups] == [None]
    assert math.isnan(found.silhouette)
    assert found.to_json()["silhouette"] is None


def test_a_bad_file_costs_its_own_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    found = discover([tmp_path / "bad.png", *pictures(tmp_path / "a", 12)], run)
    assert [Path(one.image).name for one in found.left_out] == ["bad.png"]
    assert found.rejected == 12
    with pytest.raises(DatasetError, match="no image can be read of 1"):
        discover([tmp_path / "bad.png"], run)


def test_too_few_to_group(run: Run, tmp_path: Path) -> None:
    found = discover(pictures(tmp_path / "a", 4), run, out=tmp_path / "sheets")
    assert (found.groups, found.rejected) == ((), 4)
    assert not (tmp_path / "sheets").exists()


def test_a_folder_that_holds_something_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something already"):
        discover(pictures(tmp_path / "a", 12), run, out=tmp_path)


def test_a_method_without_embedding_says_so(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    (other,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path / "runs")
    green = tmp_path / "green"
    green.mkdir()
    for i in range(12):
        Image.new("RGB", (40, 40), (10, 250, 250 - i)).save(green / f"{i}.png")
    with pytest.raises(UsageError, match="nearest-colour has no embedding"):
        discover(sorted(green.iterdir()), other, method_file=method_file)


def test_embeddings_that_are_no_numbers_are_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from osbench.baselines.methods.osbench_1 import Osbench1

    def broken(value: np.ndarray) -> Callable[..., np.ndarray]:
        return lambda self, images: value

    monkeypatch.setattr(Osbench1, "embed", broken(np.full((12, 3), np.nan)))
    with pytest.raises(RunError, match="no 12 rows of finite numbers"):
        discover(pictures(tmp_path / "a", 12), run)
