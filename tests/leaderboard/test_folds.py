from __future__ import annotations

import json
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from osbench.benchmark.manifest import Manifest, build_manifest, generator_architectures
from osbench.benchmark.metrics import generator_interval
from osbench.benchmark.protocols import load_protocol
from osbench.benchmark.run_info import RUN_FILE
from osbench.benchmark.runs import list_runs
from osbench.cli import main
from osbench.core.documents import from_json
from osbench.core.errors import RunError
from osbench.generation.dataset import Dataset
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE
from osbench.leaderboard.folds import (
    FOLDS_FILE,
    OVER_FOLDS,
    FoldEntry,
    Folds,
    FoldValue,
    _with_ranks,
    build_fold_boards,
    folds_text,
)

from .synthetic_runs import Drawn, write_run

GOOD, BAD = Drawn("proposed", 0.9, {"native": 3.0}), Drawn("resnet50", 0.7, {"msp": 1.0})


@pytest.fixture(scope="module")
def rotated(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods on three folds of seven, a third one on the first of them only."""
    runs = tmp_path_factory.mktemp("rotated") / "runs"
    folds = load_protocol("rotate-one").folds(generator_architectures(dataset))
    manifests = [build_manifest(dataset, "rotate-one", fold) for fold in folds[:3]]
    for manifest in manifests:
        for drawn in (GOOD, BAD):
            write_run(runs, manifest, drawn, 0, tag=manifest.manifest_id[:8])
    write_run(runs, manifests[0], Drawn("dct-cnn", 0.95, {"msp": 5.0}), 0)
    return runs


def test_a_board_for_every_fold_and_a_table_over_them(rotated: Path, tmp_path: Path) -> None:
    arguments = ["leaderboard", "folds", str(rotated), "--out", str(tmp_path), "--bootstrap", "2", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / FOLDS_FILE).read_text())
    assert len(document["folds"]) == 3
    boards = {}
    for fold in document["folds"]:
        assert (tmp_path / fold["folder"] / PAGE_FILE).is_file()
        boards[fold["manifest_id"]] = json.loads((tmp_path / fold["folder"] / JSON_FILE).read_text())
        assert fold["folder"].startswith(f"rotate-one-{fold['unseen'][0]}-")
    first, second, last = document["entries"]
    assert [first["method"], second["method"], last["method"]] == ["proposed", "resnet50", "dct-cnn"]
    assert len(last["values"]) == 1
    for manifest_id, value in first["values"].items():
        (entry,) = (e for e in boards[manifest_id]["entries"] if e["method"] == "proposed")
        assert value == entry["metrics"][document["primary"]]["estimate"]
    values = list(first["values"].values())
    assert first["mean"] == pytest.approx(sum(values) / 3)
    assert (first["lowest"]["value"], first["highest"]["value"]) == (min(values), max(values))
    # The third method is in one fold only: the order of the others is the same in all three.
    assert document["stability"] == 1
    assert [(entry["ranks"], entry["first"]) for entry in document["entries"]] == [
        ([1, 1], 1),
        ([2, 2], 0),
        (None, None),
    ]
    text = folds_text(from_json(Folds, document, "folds", RunError)).splitlines()
    assert text[0] == "auc_af1_crr over 3 folds; order of entries: mean Kendall tau 1.00"
    assert len(text) == 5
    assert first["sd"] == pytest.approx(statistics.stdev(values))
    assert last["sd"] is None
    assert text[2].endswith("cannot tell"), "three generators are too few for a new one"
    assert f"({first['lowest']['fold']})" in text[2]


def test_a_new_generator_is_forecast_from_all_that_the_folds_leave_out(dataset: Dataset, tmp_path: Path) -> None:
    folds = load_protocol("rotate").folds(generator_architectures(dataset))
    runs = tmp_path / "runs"
    chosen = [fold for fold in folds if "stylegan3" in fold.unseen][:5] + folds[:1]
    for fold in chosen:
        manifest = build_manifest(dataset, "rotate", fold)
        write_run(runs, manifest, GOOD, 0, tag=manifest.manifest_id[:8])
    document = build_fold_boards(runs, tmp_path / "out", bootstrap=2)
    (entry,) = document.entries
    boards = [json.loads((tmp_path / "out" / fold.folder / JSON_FILE).read_text()) for fold in document.folds]
    rates: dict[str, list[float]] = {}
    for board in boards:
        for generator in board["unseen"]:
            rate = board["entries"][0]["per_generator"][generator]["crr"]["estimate"]
            rates.setdefault(generator, []).append(rate)
    assert len(rates) >= 5
    assert len(rates["stylegan3"]) >= 5, "several folds leave it out, and it counts once"
    expected = generator_interval([statistics.mean(found) for found in rates.values()])
    found = entry.new_generator["crr"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    for board in boards:
        shown = board["entries"][0]["new_generator"]["crr"]
        assert (shown["kind"], shown["low"]) == (OVER_FOLDS, pytest.approx(expected.low, abs=1e-12))
    assert folds_text(document).splitlines()[2].endswith(f"{expected.low:.2f} to {expected.high:.2f}")


def entry(name: str, *values: float) -> FoldEntry:
    ends = FoldValue(min(values), "x"), FoldValue(max(values), "x")
    named = {f"m{k}": v for k, v in enumerate(values)}
    return FoldEntry(name, name, "native", "", named, float(np.mean(values)), float(np.std(values)), *ends, {})


def test_ranks_and_stability_by_hand() -> None:
    """Of three pairs of folds two agree half (one of three pairs of entries is turned), one is turned in two."""
    entries = [entry("a", 0.9, 0.9, 0.5), entry("b", 0.8, 0.7, 0.9), entry("c", 0.6, 0.8, 0.7), entry("d", 0.99)]
    found, stability = _with_ranks(entries, ["m0", "m1", "m2"])
    assert [e.ranks for e in found] == [(1, 3), (1, 3), (2, 3), None]
    assert [e.first for e in found] == pytest.approx([2 / 3, 1 / 3, 0, None])
    # (m0, m1): 1 of 3 turned = 1/3; (m0, m2): a-b and a-c turned = -1/3; (m1, m2): all three = -1
    assert stability == pytest.approx(np.mean([1 / 3, -1 / 3, -1]))


def test_one_fold_or_one_entry_has_no_stability() -> None:
    assert _with_ranks([entry("a", 0.9), entry("b", 0.8)], ["m0"])[1] is None
    assert _with_ranks([entry("a", 0.9, 0.8)], ["m0", "m1"])[1] is None
    assert _with_ranks([entry("a", 0.5, 0.5), entry("b", 0.5, 0.5)], ["m0", "m1"])[1] is None


def test_the_name_of_a_fold_cannot_leave_the_folder(rotated: Path, dataset: Dataset, tmp_path: Path) -> None:
    run = list_runs(rotated)[0]
    copy = tmp_path / "runs" / "proposed" / "a"
    copy.mkdir(parents=True)
    for path in run.folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    info = json.loads((copy / RUN_FILE).read_text())
    info["manifest"]["fold"] = "../../elsewhere"
    (copy / RUN_FILE).write_text(json.dumps(info))
    manifest = replace(run.manifest(), fold="../../elsewhere")
    document = build_fold_boards(
        tmp_path / "runs", tmp_path / "out" / "in", bootstrap=2, manifest_lookup=lambda _: manifest
    )
    assert document.folds[0].folder.startswith("elsewhere-")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["in"]


def test_runs_of_several_protocols_have_no_common_mean(rotated: Path, manifest: Manifest, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(rotated, runs)
    write_run(runs, manifest, GOOD, 0)
    with pytest.raises(RunError, match=r"2 experiments .*fang2023.*rotate-one.*runs folder of its own"):
        build_fold_boards(runs, tmp_path / "out", bootstrap=2)
    assert not (tmp_path / "out").exists()
