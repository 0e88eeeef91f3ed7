"""Boards of real run folders: what is written, what tells entries apart, what is never mixed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.metrics import PRIMARY
from osbench.core import publish
from osbench.core.errors import DatasetError, RunError
from osbench.generation.dataset import Dataset
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, TABLE_FILE, Board, build_board
from osbench.leaderboard.sources import find_board_dataset, generator_titles, lookup_manifest
from osbench.leaderboard.submit import submit
from osbench.leaderboard.tables import board_text

from .synthetic_runs import BOARD, Drawn, write_run

METHOD = Drawn("proposed", 0.9, {"native": 3.0})


@pytest.fixture(scope="module")
def board(board_runs: Path) -> Board:
    return build_board(board_runs, bootstrap=50)


def test_a_board_has_the_promised_names(board: Board, manifest: Manifest, tmp_path: Path) -> None:
    page = board.save(tmp_path / "site")
    document = json.loads((tmp_path / "site" / JSON_FILE).read_text())
    assert page == tmp_path / "site" / PAGE_FILE
    assert document == board.to_json()
    assert Board.from_json(document).to_json() == document
    assert (document["suite"], document["protocol"], document["schema_version"]) == ("drawn", "fang2023", 2)
    assert document["manifest_id"] == manifest.manifest_id
    assert {(e["method"], e["rule"]) for e in document["entries"]} == {(d.method, r) for d in BOARD for r in d.rules}
    for entry in document["entries"]:
        assert entry["seeds"] == [0, 1, 2]
        assert {"auc_af1_crr", "af1", "crr", "crr_pooled", "auroc", "oscr"} <= entry["metrics"].keys()
        assert all({"estimate", "low", "high"} <= metric.keys() for metric in entry["metrics"].values())
        assert entry["per_generator"].keys() == {*manifest.seen, *manifest.unseen}
    assert document["metrics"]["fpr95_id"]["lower_is_better"]
    assert all(m["title"] and m["definition"].endswith(".") for m in document["metrics"].values())


def test_entries_are_in_the_order_of_the_primary_metric_and_one_of_each_fit_has_a_rank(board: Board) -> None:
    entries = board.entries
    assert (entries[0].method, entries[0].rank) == ("proposed", 1)
    values = [entry.metrics[PRIMARY].estimate for entry in entries]
    assert values == sorted(values, reverse=True)
    ranked = [entry for entry in entries if entry.rank is not None]
    assert sorted(entry.method for entry in ranked) == ["dct-cnn", "proposed", "resnet50"]
    assert [entry.rank for entry in ranked] == [1, 1, 3], "the first two cannot be told apart"
    assert all(entry.primary_rule and not entry.unranked for entry in ranked)
    assert {entry.unranked.rpartition(" ")[0] for entry in entries if entry not in ranked} == {"its fit is ranked by"}
    assert {entry.rule for entry in entries[-2:]} == {"never"}
    assert all((e.rank_low or 0) <= (e.rank or 0) <= (e.rank_high or 0) for e in ranked)
    assert len({entry.id for entry in entries}) == len(entries)


def test_the_table_is_flat_and_says_the_same(board: Board, tmp_path: Path) -> None:
    board.save(tmp_path)
    frame = pd.read_parquet(tmp_path / TABLE_FILE)
    assert len(frame) == len(board.to_frame()) == len(board.entries)
    for row, entry in zip(frame.to_dict("records"), board.entries, strict=True):
        f1, crr = entry.per_generator["progan"].f1, entry.per_generator["stylegan"].crr
        assert row["auc_af1_crr"] == entry.metrics["auc_af1_crr"].estimate
        assert f1 is not None
        assert crr is not None
        assert (row["progan/f1_low"], row["stylegan/crr"]) == (f1.low, crr.estimate)
        assert list(row["seeds"]) == [0, 1, 2]
    text = board_text(board)
    assert text.count("\n") == 1 + len(board.entries)
    assert "proposed" in text.splitlines()[2]


def test_the_same_runs_give_the_same_bytes_with_and_without_the_cache(
    board_runs: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "again", "elsewhere"):
        if name == "elsewhere":
            monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
        build_board(board_runs, dataset=dataset, bootstrap=20).save(tmp_path / name)
    for file in (PAGE_FILE, JSON_FILE, TABLE_FILE):
        assert len({(tmp_path / name / file).read_bytes() for name in ("first", "again", "elsewhere")}) == 1


def test_a_changed_run_is_counted_again(manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, METHOD, 0)
    first = build_board(tmp_path / "runs", bootstrap=5).entries[0].metrics["af1"].estimate
    write_run(tmp_path / "runs", manifest, replace(METHOD, skill=0.3), 0)
    assert build_board(tmp_path / "runs", bootstrap=5).entries[0].metrics["af1"].estimate < first - 0.2


def test_a_damaged_cache_is_no_cache(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    write_run(tmp_path / "runs", manifest, METHOD, 0)
    first = build_board(tmp_path / "runs", bootstrap=5)
    (kept,) = (tmp_path / "cache" / "boards").glob("*.json")
    kept.write_text(kept.read_text()[:-40])
    assert build_board(tmp_path / "runs", bootstrap=5) == first
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")
    assert build_board(tmp_path / "runs", bootstrap=5) == first


def test_runs_on_two_manifests_are_never_mixed(
    dataset: Dataset, manifest: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = build_manifest(dataset, "rotate", "stylegan2+taming")
    for seed in (0, 1):
        write_run(tmp_path / "runs", manifest, METHOD, seed)
    lonely = write_run(tmp_path / "runs", other, METHOD, 1, tag="other")
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert board.manifest_id == manifest.manifest_id
    assert "2 manifests, which do not compare" in caplog.text
    assert [item.run for item in board.refused] == [f"proposed/{lonely.folder.name}"]
    assert other.manifest_id[:12] in board.refused[0].reason
    chosen = build_board(tmp_path / "runs", manifest_id=other.manifest_id[:8], bootstrap=5)
    assert (chosen.manifest_id, [e.seeds for e in chosen.entries]) == (other.manifest_id, [(1,)])
    with pytest.raises(RunError, match="no run ffff"):
        build_board(tmp_path / "runs", manifest_id="ffff", bootstrap=5)


def test_nothing_readable_is_an_error_that_names_the_right_level(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no runs folder"):
        build_board(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="holds no run"):
        build_board(tmp_path / "empty")
    run = write_run(tmp_path / "demo" / "runs", manifest, METHOD, 0)
    for wrong in (tmp_path / "demo", run.folder.parent, run.folder):
        with pytest.raises(RunError, match=r"Did you mean .*demo/runs\?"):
            build_board(wrong)
    (run.folder / "predictions.parquet").unlink()
    with pytest.raises(RunError, match=r"no run in .* can be used; proposed/seed0-0a1b2c3d: predictions.parquet"):
        build_board(tmp_path / "demo" / "runs")


def test_of_two_runs_with_one_seed_the_first_that_was_made_stays(manifest: Manifest, tmp_path: Path) -> None:
    late = replace(METHOD, created="2026-01-01T00:00:00+00:00")
    write_run(tmp_path / "runs", manifest, late, 0, tag="a")
    write_run(tmp_path / "runs", manifest, METHOD, 0, tag="b")
    write_run(tmp_path / "runs", manifest, late, 1, tag="c")
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert [(e.seeds, e.runs) for e in board.entries] == [((0, 1), ("proposed/seed0-b", "proposed/seed1-c"))]
    assert [item.run for item in board.refused] == ["proposed/seed0-a"]
    assert "as proposed/seed0-b, which was made first" in board.refused[0].reason
    (tmp_path / "runs/proposed/seed0-b/predictions.parquet").write_bytes(b"")
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert board.entries[0].runs == ("proposed/seed0-a", "proposed/seed1-c"), "a twin takes the place of a damaged run"
    assert [item.run for item in board.refused] == ["proposed/seed0-b"]


def test_settings_crops_and_code_are_entries_of_their_own(manifest: Manifest, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    drawn = {
        "a": METHOD,
        "b": replace(METHOD, given={"epochs": 5}),
        "c": replace(METHOD, crop_size=24),
        "d": replace(METHOD, code="beef" * 16),
        "e": replace(METHOD, given={"epochs": 30}),  # the default, typed: no other entry
        "f": Drawn("dct-cnn", 0.6, {"msp": 1.0}, given={"epochs": 9}),
    }
    for tag, one in drawn.items():
        write_run(runs, manifest, one, 0, tag=tag)
    board = build_board(runs, bootstrap=5)
    assert sorted((entry.method, entry.variant) for entry in board.entries) == [
        ("dct-cnn", ""),
        ("proposed", "defaults, crop 24 px, code c0dec0de"),
        ("proposed", "defaults, crop 32 px, code beefbeef"),
        ("proposed", "defaults, crop 32 px, code c0dec0de"),
        ("proposed", "epochs=5, crop 32 px, code c0dec0de"),
    ]
    assert [item.run for item in board.refused] == ["proposed/seed0-e"]
    alone = build_board(write_run(tmp_path / "alone", manifest, METHOD, 0).folder.parents[1], bootstrap=5).entries[0]
    assert alone.id in {entry.id for entry in board.entries}, "a link to an entry holds on every board"


def test_only_what_differs_tells_entries_apart(manifest: Manifest, tmp_path: Path) -> None:
    for tag, code in (("a", "beef"), ("b", "c0de")):
        write_run(tmp_path / "runs", manifest, replace(METHOD, code=code * 16), 0, tag=tag)
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert sorted(entry.variant for entry in board.entries) == ["code beefbeef", "code c0dec0de"]


def test_an_experiment_names_its_entries(manifest: Manifest, tmp_path: Path) -> None:
    short = replace(METHOD, given={"epochs": 5})
    runs = [write_run(tmp_path / "runs", manifest, one, 0, tag=f"{k}") for k, one in enumerate((METHOD, short))]
    runs[1].labelled("proposed, five epochs")
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert {(entry.name, entry.variant) for entry in board.entries} == {("proposed", ""), ("proposed, five epochs", "")}
    assert "proposed, five epochs" in board_text(board)


def test_a_label_cannot_pass_for_another_method(manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, METHOD, 0)
    write_run(tmp_path / "runs", manifest, Drawn("dct-cnn", 0.6, {"native": 1.0}), 0).labelled("proposed")
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert {(entry.name, entry.variant) for entry in board.entries} == {
        ("proposed", "proposed"),
        ("proposed", "dct-cnn"),
    }


def test_rules_that_are_asked_for(board_runs: Path) -> None:
    board = build_board(board_runs, bootstrap=5, rules=["msp"])
    assert {(entry.method, entry.rule) for entry in board.entries} == {
        ("proposed", "native"),
        ("resnet50", "msp"),
        ("dct-cnn", "msp"),
    }


def test_hidden_folders_are_work_in_progress(manifest: Manifest, tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", manifest, METHOD, 0)
    shutil.copytree(run.folder, run.folder.with_name(".half.partial"))
    board = build_board(tmp_path / "runs", bootstrap=5)
    assert (board.entries[0].seeds, board.refused) == ((0,), ())


def test_submissions_make_a_board(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / "mine" / "runs", manifest, METHOD, seed)
    submit(tmp_path / "mine" / "runs", str(tmp_path / "shared"))
    with pytest.raises(RunError, match="give the dataset with --data"):
        build_board(tmp_path / "shared", bootstrap=5)
    for folder in (tmp_path / "shared", tmp_path / "shared" / "submissions"):
        board = build_board(folder, dataset=dataset, bootstrap=5)
        assert [(entry.method, entry.seeds) for entry in board.entries] == [("proposed", (0, 1))]
    shutil.copytree(dataset.path, tmp_path / "data")
    found = find_board_dataset(tmp_path / "shared" / "submissions", None)
    assert found is not None
    assert build_board(tmp_path / "shared", dataset=found, bootstrap=5) == build_board(
        tmp_path / "shared", dataset=dataset, bootstrap=5
    )


def test_a_submission_and_a_run_of_the_same_seed(manifest: Manifest, dataset: Dataset, tmp_path: Path) -> None:
    write_run(tmp_path / "mine", manifest, METHOD, 0)
    submit(tmp_path / "mine", str(tmp_path / "shared"))
    late = replace(METHOD, created="2026-01-01T00:00:00+00:00")
    for seed in (0, 1):
        write_run(tmp_path / "others", manifest, late, seed)
    submit(tmp_path / "others", str(tmp_path / "shared"))
    board = build_board(tmp_path / "shared", dataset=dataset, bootstrap=5)
    assert [entry.seeds for entry in board.entries] == [(0,)]
    assert len(board.refused) == 1
    assert "the same entry and seed (proposed, seed 0)" in board.refused[0].reason


def test_the_manifest_may_come_from_the_dataset(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    runs = tmp_path / "handed-in"
    write_run(runs, manifest, METHOD, 0)
    shutil.rmtree(runs / "manifests")
    with pytest.raises(RunError, match="give the dataset with --data"):
        build_board(runs, bootstrap=5)
    assert lookup_manifest(runs, dataset)(manifest.manifest_id).manifest_id == manifest.manifest_id
    assert build_board(runs, dataset=dataset, bootstrap=5).manifest_id == manifest.manifest_id


def test_the_dataset_beside_the_runs_is_found(dataset: Dataset, tmp_path: Path) -> None:
    assert find_board_dataset(tmp_path / "runs", None) is None
    shutil.copytree(dataset.path, tmp_path / "data")
    found = find_board_dataset(tmp_path / "runs", None)
    assert found is not None
    assert found.path == (tmp_path / "data").resolve()
    with pytest.raises(DatasetError):
        find_board_dataset(tmp_path / "runs", tmp_path / "nowhere")


def test_the_wrong_dataset_only_costs_the_pictures(manifest: Manifest, own_dataset: Dataset, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, METHOD, 0)
    board = build_board(tmp_path / "runs", dataset=own_dataset, bootstrap=5)
    assert board.gallery == ()
    assert '"gallery":[]' in board.save(tmp_path / "site").read_text()


def test_generators_have_the_names_of_the_literature(dataset: Dataset, manifest: Manifest) -> None:
    assert generator_titles(manifest, dataset)["latent_diffusion"] == "Stable Diffusion"
    assert generator_titles(replace(manifest, suite="mini"), None)["taming"] == "Taming Transformers"
    assert generator_titles(replace(manifest, suite="../mini"), None)["taming"] == "taming"


def test_an_undefined_metric_is_null_and_ranks_nothing(board: Board) -> None:
    first, second, *others = board.entries
    unknown = replace(second.metrics["auc_af1_crr"], estimate=np.nan, low=np.nan, high=np.nan)
    second = replace(second, rank=None, metrics=second.metrics | {"auc_af1_crr": unknown})
    changed = replace(board, entries=(first, second, *others))
    assert pd.isna(changed.to_frame()["rank"].iloc[1])
    assert pd.isna(changed.to_frame()["auc_af1_crr"].iloc[1])
    assert board_text(changed).splitlines()[3].startswith("-")
    assert json.loads(json.dumps(changed.to_json(), allow_nan=False))["entries"][1]["rank"] is None


def test_a_full_disk_leaves_the_old_board_whole(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    written = []

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace(board, suite="another").save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_board_needs_no_torch(board_runs: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, sys, osbench.leaderboard as board\n"
        "for module in pkgutil.walk_packages(board.__path__, 'osbench.leaderboard.'):\n"
        "    if 'migrations' not in module.name:  # Alembic alone loads these\n"
        "        importlib.import_module(module.name)\n"
        "from osbench.leaderboard.board import build_board\n"
        f"build_board({str(board_runs)!r}, bootstrap=2).save({str(tmp_path)!r})\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
