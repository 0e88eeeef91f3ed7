"""The library: what DESIGN promises to a user's Python, on a small data set."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import osbench
from osbench.benchmark.method import Method, get_method
from osbench.core.errors import DatasetError, RunError, UsageError
from tests.benchmark.tiny_dataset import CROP, GENERATORS, METHOD_FILE, write_sources

LIGHT = """
import sys, time
start = time.perf_counter()
import osbench
seconds = time.perf_counter() - start
heavy = {"torch", "numpy", "pandas", "pyarrow"} & set(sys.modules)
assert not heavy, heavy
assert osbench.__version__
assert set(osbench.__all__) <= set(dir(osbench))
print(seconds)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> osbench.Dataset:
    folder = tmp_path_factory.mktemp("library")
    return osbench.generate(write_sources(folder / "sources", GENERATORS, 40, CROP + 8), folder / "data")


@pytest.fixture(scope="module")
def method(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("library-method") / "colour.py"
    path.write_text(METHOD_FILE.replace("nearest-colour", "library-colour"))
    return str(path)


@pytest.fixture(scope="module")
def runs(data: osbench.Dataset, method: str) -> osbench.Runs:
    return osbench.evaluate(method, data.split("fang2023"), seeds=2, out=data.path.parent / "runs")


def test_import_is_light() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 1.0


def test_reading_needs_no_torch(runs: osbench.Runs, data: osbench.Dataset) -> None:
    code = (
        "import osbench, sys\n"
        f"osbench.load({str(data.path)!r}).split('fang2023')\n"
        f"board = osbench.leaderboard({str(runs[0].folder.parents[1])!r}, bootstrap=2)\n"
        "assert len(board.entries) == 2\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=runs[0].folder)


def test_every_promised_name_is_there() -> None:
    for name in osbench.__all__:
        assert getattr(osbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        osbench.evaluat  # type: ignore[attr-defined]  # noqa: B018


def test_a_dataset_is_split_by_protocol_and_by_names(data: osbench.Dataset) -> None:
    manifest = data.split("fang2023")
    assert set(manifest.unseen) == {"latent_diffusion", "stylegan"}
    mine = data.split(unseen=["taming"], name="mine")
    assert (mine.protocol, mine.unseen) == ("mine", ("taming",))
    assert data.split("mine").manifest_id == mine.manifest_id
    assert data.split(unseen=["taming"]).protocol == "unseen-taming"
    with pytest.raises(DatasetError, match="can hold no weights out"):
        data.split(unseen=["taming"], hold_out="weights")
    assert len(data.folds("rotate-one")) == len(GENERATORS)
    with pytest.raises(UsageError, match="has 5 folds"):
        data.split("rotate-one")
    assert osbench.load(data.path).suite == data.suite


def test_an_audit_is_a_call(data: osbench.Dataset) -> None:
    found = osbench.audit(data, "rotate-one")
    assert not found.ok
    assert json.loads((data.path / "audit.json").read_text()) == found.to_json()


def test_a_score_is_a_mean_over_seeds_with_intervals(runs: osbench.Runs) -> None:
    score = runs.score(rule="distance")
    assert score.seeds == (0, 1)
    found = score.auc_af1_crr
    assert found.low < found.high
    each = [run.score(bootstrap=2).auc_af1_crr.estimate for run in runs]
    assert found.estimate == pytest.approx(sum(each) / 2)
    assert set(score.to_frame()["metric"]) >= {"auc_af1_crr", "af1", "crr"}
    assert json.loads(json.dumps(score.to_json()))["seeds"] == [0, 1]
    counts = [sum(map(sum, run.score(bootstrap=2).confusion.counts)) for run in runs]
    assert sum(map(sum, score.confusion.counts)) == sum(counts)
    assert len(runs.to_frame()) == 4


def test_a_class_an_instance_and_a_file_are_the_same_method(
    data: osbench.Dataset, runs: osbench.Runs, method: str
) -> None:
    cls: type[Method] = get_method(method)
    again = osbench.evaluate(cls, data.split(), seeds=1, out=runs[0].folder.parents[1])
    assert again[0].folder == runs[0].folder
    other = osbench.evaluate(cls(bins=6), data.split(), out=data.path.parent / "runs-6")
    assert other[0].info.config.given == {"bins": 6}


def test_folds_are_scored_one_by_one(data: osbench.Dataset, method: str, tmp_path: Path) -> None:
    folds = data.folds("rotate-one")[:2]
    found = osbench.evaluate(method, folds, out=tmp_path)
    assert len(found) == 2
    with pytest.raises(UsageError, match="answer 2 folds"):
        found.score()
    assert found.fold(folds[0].fold).score(bootstrap=2).manifest.fold == folds[0].fold
    with pytest.raises(UsageError, match="there are: rotate-one"):
        found.fold("none")
    assert isinstance(found[:1], osbench.Runs)


def test_a_board_is_built_and_saved(runs: osbench.Runs, tmp_path: Path) -> None:
    board = osbench.leaderboard(runs[0].folder.parents[1], bootstrap=2)
    assert {entry.method for entry in board.entries} == {"library-colour"}
    assert "auc_af1_crr" in board.to_frame()
    page = board.save(tmp_path / "site")
    assert page.is_file()
    importlib.import_module("osbench.leaderboard.board")  # the package of that name stays a function as well
    assert osbench.leaderboard(runs[0].folder.parents[1], bootstrap=2).manifest_id == board.manifest_id


def test_pictures_are_attributed(runs: osbench.Runs, data: osbench.Dataset, method: str, tmp_path: Path) -> None:
    picture = next((data.path.parent / "sources").rglob("*.png"))
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    first, second = osbench.attribute([picture, bad], runs[0], rule="distance", method_file=method)
    assert isinstance(first, osbench.Attribution)
    assert not isinstance(second, osbench.Attribution)
    (same,) = osbench.attribute(picture, runs[0].folder, rule="distance", method_file=method)
    assert same == first


def test_what_makes_no_sense_is_one_line(data: osbench.Dataset, method: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown method"):
        osbench.evaluate("nobody", data.split(), out=tmp_path / "runs")
    with pytest.raises(UsageError, match=r"from Dataset\.split"):
        osbench.evaluate(method, [], out=tmp_path / "runs")
    with pytest.raises(UsageError, match="no registered method"):
        osbench.evaluate(Method, data.split(), out=tmp_path / "runs")  # type: ignore[type-abstract]
    with pytest.raises(RunError, match="not finite"):
        osbench.evaluate(method, data.split(), options={"fail_at": "nan"}, out=tmp_path / "runs")
