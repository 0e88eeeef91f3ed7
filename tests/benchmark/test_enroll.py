"""A source joins a run: who can, what is written, and what a bad request leaves behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from osbench.benchmark.attribute import Attribution, attribute
from osbench.benchmark.enroll import enroll
from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.robustness.asking import launder_runs
from osbench.benchmark.robustness.treatments import Grid
from osbench.benchmark.runs import Run
from osbench.core.errors import DatasetError, RunError, UsageError
from osbench.generation.dataset import Dataset
from osbench.leaderboard.collect import collect
from osbench.leaderboard.submit import prepare


@pytest.fixture(scope="module")
def run(dataset: Dataset, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate("osbench-1", dataset, manifest, seeds=[0], out=tmp_path_factory.mktemp("runs"))[0]


def pictures(folder: Path, count: int, seed: int = 0, size: tuple[int, int] = (48, 40)) -> list[Path]:
    """A source that the run does not know: noise in bands of four pixels."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for i in range(count):
        bands = rng.normal(0, 40, (size[1] // 4, size[0], 1)).repeat(4, axis=0)
        pixels = (130 + bands + rng.normal(0, 2, (size[1], size[0], 3))).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"{seed}-{i}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def sources(paths: list[Path], run: Run) -> list[str]:
    answers = attribute(paths, run)
    assert all(isinstance(one, Attribution) for one in answers), answers
    return [one.source for one in answers if isinstance(one, Attribution)]


@pytest.mark.parametrize("count", [1, 2, 10])
def test_strangers_are_known_afterwards(run: Run, tmp_path: Path, count: int) -> None:
    new = pictures(tmp_path / "new", 20, seed=1)
    assert set(sources(new, run)) == {"unknown"}
    found = enroll("bands", pictures(tmp_path / "few", count), run, tmp_path / "joined")
    joined = Run.open(tmp_path / "joined")
    assert joined.class_names == (*run.class_names, "bands")
    assert joined.info == found.run.info
    assert joined.info.enrolled[0].images == count
    assert joined.info.enrolled[0].run == f"osbench-1/{run.folder.name}"
    answers = sources(new, joined)
    assert answers.count("bands") >= 0.4 * len(new)
    scores = attribute(new[:1], joined)[0]
    assert isinstance(scores, Attribution)
    assert list(scores.class_scores) == [*run.class_names, "bands"]
    assert scores.threshold == run.answers("native").threshold(), "the threshold stays"


def test_old_sources_stay(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    enroll("bands", pictures(tmp_path / "few", 5), run, tmp_path / "joined")
    test = run.manifest().rows("test")
    some = test[test["openness"] == "seen"].groupby("generator").head(3)
    paths = []
    for i, (shard, row) in enumerate(zip(some["shard"], some["row"], strict=True)):
        (data,) = dataset.read_images(str(shard), [int(row)])
        paths.append(tmp_path / f"{i}.png")
        paths[-1].write_bytes(data)
    before, after = sources(paths, run), sources(paths, Run.open(tmp_path / "joined"))
    assert np.mean([a == b for a, b in zip(before, after, strict=True)]) > 0.8


def test_one_run_after_another(run: Run, tmp_path: Path) -> None:
    first = enroll("bands", pictures(tmp_path / "few", 5), run, tmp_path / "first").run
    rng = np.random.default_rng(3)
    paths = []
    for i in range(5):
        paths.append(tmp_path / f"columns-{i}.png")
        columns = rng.normal(0, 40, (1, 12, 1)).repeat(4, axis=1).repeat(40, axis=0)
        Image.fromarray((130 + columns + rng.normal(0, 2, (40, 48, 3))).clip(0, 255).astype(np.uint8)).save(paths[-1])
    second = enroll("columns", paths, first, tmp_path / "second").run
    assert [one.name for one in Run.open(second.folder).info.enrolled] == ["bands", "columns"]
    assert second.info.enrolled[1].run.endswith("/first")
    assert sources(paths, second).count("columns") >= 4
    assert sources(pictures(tmp_path / "more", 5, seed=2), second).count("bands") >= 3


def test_what_cannot_be_used_is_left_out(run: Run, tmp_path: Path) -> None:
    few = pictures(tmp_path / "few", 3)
    (tmp_path / "text.png").write_text("no picture")
    shutil.copy(few[0], tmp_path / "twin.png")
    given = [*few, tmp_path / "text.png", tmp_path / "twin.png", tmp_path / "none.png"]
    found = enroll("bands", given, run, tmp_path / "joined")
    assert found.enrolled.images == 3
    assert [Path(one.image).name for one in found.left_out] == ["text.png", "twin.png", "none.png"]
    json.dumps(found.to_json())


@pytest.mark.parametrize(
    ("name", "error", "what"),
    [
        ("progan", UsageError, "'progan' is a source of this run already"),
        ("unknown", UsageError, "what rejected images are called"),
        ("", UsageError, "cannot name a source"),
        ("two\nlines", UsageError, "cannot name a source"),
    ],
)
def test_bad_names(run: Run, tmp_path: Path, name: str, error: type[Exception], what: str) -> None:
    with pytest.raises(error, match=what) as caught:
        enroll(name, pictures(tmp_path / "few", 2), run, tmp_path / "joined")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "joined").exists()


def test_bad_images(run: Run, tmp_path: Path) -> None:
    few = pictures(tmp_path / "few", 2)
    with pytest.raises(DatasetError, match=r"images of two sizes: .*0-0\.png is 48x40, .*1-0\.png is 64x40"):
        enroll("bands", [*few, *pictures(tmp_path / "few", 1, seed=1, size=(64, 40))], run, tmp_path / "joined")
    with pytest.raises(DatasetError, match=r"no image to enroll is left of 1 .*smaller than the 32 px crop"):
        enroll("bands", pictures(tmp_path / "small", 1, size=(16, 16)), run, tmp_path / "joined")
    assert list(tmp_path.iterdir()) == [tmp_path / "few", tmp_path / "small"] or not (tmp_path / "joined").exists()
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        enroll("bands", few, run, tmp_path / "taken")
    assert not list((tmp_path / "taken").iterdir())


def test_a_method_without_references_says_no(
    dataset: Dataset, manifest: Manifest, method_file: str, tmp_path: Path
) -> None:
    (other,) = evaluate(method_file, dataset, manifest, seeds=[0], out=tmp_path / "runs")
    with pytest.raises(UsageError, match="nearest-colour cannot take another source without training"):
        enroll("bands", pictures(tmp_path / "few", 2), other, tmp_path / "joined", method_file=method_file)
    assert not (tmp_path / "joined").exists()


def test_such_a_run_is_no_entry_of_a_board(run: Run, dataset: Dataset, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(run.folder.parents[1], runs)
    joined = enroll("bands", pictures(tmp_path / "few", 2), run, runs / "osbench-1" / "joined").run
    units, refused = collect(runs)
    assert [unit.folder.name for unit in units] == [run.folder.name]
    assert "'bands' joined it after its fit" in refused[0].reason
    with pytest.raises(RunError, match="joined it after its fit"):
        prepare(joined.folder)
    with pytest.raises(RunError, match="joined it after its fit"):
        joined.score()
    with pytest.raises(RunError, match="joined it after its fit"):
        launder_runs([joined], dataset, build_manifest(dataset, "fang2023"), Grid((50,), (), ()))


def test_a_run_json_with_a_source_twice_is_refused(run: Run, tmp_path: Path) -> None:
    joined = enroll("bands", pictures(tmp_path / "few", 2), run, tmp_path / "joined").run
    document: dict[str, Any] = joined.info.to_json()
    document["enrolled"][0]["name"] = "progan"
    (joined.folder / "run.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match="enrolled names progan, which is a source already"):
        Run.open(joined.folder)
