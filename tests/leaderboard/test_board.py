"""Boards of real run folders: what is written, what is refused, what is never mixed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from osbench.benchmark.manifest import Manifest, build_manifest
from osbench.benchmark.runs import Run
from osbench.core.errors import DatasetError, RunError
from osbench.generation.dataset import Dataset
from osbench.leaderboard.board import JSON_FILE, PAGE_FILE, TABLE_FILE, build_board
from osbench.leaderboard.sources import find_board_dataset, lookup_manifest
from osbench.leaderboard.tables import board_frame, board_text

from .synthetic_runs import BOARD, Drawn, draw_predictions, write_run

METHOD = Drawn("proposed", "native", 0.9, 3.0)


def test_a_board_has_the_promised_names(board_runs: Path, manifest: Manifest, tmp_path: Path) -> None:
    document = build_board(board_runs, None, tmp_path / "site", bootstrap=100)
    assert json.loads((tmp_path / "site" / JSON_FILE).read_text()) == document
    assert (document["suite"], document["protocol"]) == ("drawn", "fang2023")
    assert document["manifest_id"] == manifest.manifest_id
    assert document["schema_version"] == 1
    assert {(e["method"], e["rejection"]) for e in document["entries"]} == {(d.method, d.rejection) for d in BOARD}
    for entry in document["entries"]:
        assert entry["seeds"] == [0, 1, 2]
        assert {"auc_af1_crr", "af1", "crr", "crr_pooled", "auroc", "oscr"} <= entry["metrics"].keys()
        assert all(metric.keys() == {"mean", "low", "high"} for metric in entry["metrics"].values())
        assert entry["per_generator"].keys() == {*manifest.seen, *manifest.unseen}
        for values in entry["per_generator"].values():
            assert all(value.keys() == {"mean", "low", "high"} for value in values.values())


def test_entries_are_ranked_by_the_primary_metric(board_runs: Path, tmp_path: Path) -> None:
    entries = build_board(board_runs, None, tmp_path, bootstrap=100)["entries"]
    assert (entries[0]["method"], entries[0]["rank"]) == ("proposed", 1)
    assert [e["rank"] for e in entries] == sorted(e["rank"] for e in entries)
    assert {e["rejection"] for e in entries[-2:]} == {"never"}
    assert all(e["rank_low"] <= e["rank"] <= e["rank_high"] for e in entries)
    assert len({e["id"] for e in entries}) == len(entries)


def test_the_table_is_flat_and_says_the_same(board_runs: Path, tmp_path: Path) -> None:
    document = build_board(board_runs, None, tmp_path, bootstrap=20)
    frame = pd.read_parquet(tmp_path / TABLE_FILE)
    assert len(frame) == len(document["entries"])
    for row, entry in zip(frame.to_dict("records"), document["entries"], strict=True):
        assert row["auc_af1_crr"] == entry["metrics"]["auc_af1_crr"]["mean"]
        assert row["progan/f1_low"] == entry["per_generator"]["progan"]["f1"]["low"]
        assert row["stylegan/crr"] == entry["per_generator"]["stylegan"]["crr"]["mean"]
        assert list(row["seeds"]) == [0, 1, 2]
    text = board_text(document)
    assert text.count("\n") == 1 + len(document["entries"])
    assert "proposed" in text.splitlines()[2]


def test_the_same_runs_give_the_same_bytes(board_runs: Path, dataset: Dataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        build_board(board_runs, None, tmp_path / name, dataset=dataset, bootstrap=20)
    for file in (PAGE_FILE, JSON_FILE, TABLE_FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_runs_on_two_manifests_are_never_mixed(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    other = build_manifest(dataset, "rotate", "stylegan2+taming")
    write_run(tmp_path / "runs", manifest, METHOD, 0)
    write_run(tmp_path / "runs", other, METHOD, 1)
    with pytest.raises(RunError, match="2 manifests, which do not compare: choose one with --manifest"):
        build_board(tmp_path / "runs", None, tmp_path / "site", bootstrap=5)
    assert not (tmp_path / "site").exists()
    chosen = build_board(tmp_path / "runs", None, tmp_path / "site", manifest_id=other.manifest_id[:8], bootstrap=5)
    assert chosen["manifest_id"] == other.manifest_id
    assert [e["seeds"] for e in chosen["entries"]] == [[1]]
    with pytest.raises(RunError, match="no run on manifest ffff"):
        build_board(tmp_path / "runs", None, tmp_path / "site", manifest_id="ffff", bootstrap=5)


def _drop_answers(run: Run, manifest: Manifest, drawn: Drawn) -> None:
    predictions = draw_predictions(manifest, drawn, run.seed)
    Run.write(run.folder, run.info, predictions.take(slice(1, None)))  # pyright: ignore[reportArgumentType]


def test_broken_runs_are_refused_and_named(
    manifest: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = tmp_path / "runs"
    write_run(runs, manifest, METHOD, 0)
    incomplete = Drawn("dct-cnn", "msp", 0.99, 9.0)
    _drop_answers(write_run(runs, manifest, incomplete, 0), manifest, incomplete)
    (write_run(runs, manifest, Drawn("resnet50", "msp", 0.99, 9.0), 0).folder / "run.json").write_text("{")
    truncated = write_run(runs, manifest, Drawn("resnet50", "never", 0.99, 9.0), 0).folder / "predictions.parquet"
    truncated.write_bytes(truncated.read_bytes()[:200])
    document = build_board(runs, None, tmp_path / "site", bootstrap=5)
    assert [e["method"] for e in document["entries"]] == ["proposed"]
    assert {r["run"].split("/")[0] for r in document["refused"]} == {"dct-cnn", "resnet50"}
    assert len(document["refused"]) == 3
    assert all("\n" not in r["reason"] and str(runs) not in r["reason"] for r in document["refused"])
    assert caplog.text.count("run refused") == 3


def test_nothing_readable_is_an_error(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no runs folder"):
        build_board(tmp_path / "none", None, tmp_path / "site")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="holds no readable run"):
        build_board(tmp_path / "empty", None, tmp_path / "site")
    run = write_run(tmp_path / "runs", manifest, METHOD, 0)
    (run.folder / "predictions.parquet").unlink()
    with pytest.raises(RunError, match=r"no run in .* fits its manifest"):
        build_board(tmp_path / "runs", None, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_seed_that_is_there_twice_is_an_error(manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, METHOD, 0, tag="here")
    write_run(tmp_path / "runs", manifest, METHOD, 0, tag="there")
    with pytest.raises(RunError, match="same entry and seed"):
        build_board(tmp_path / "runs", None, tmp_path / "site", bootstrap=5)


def test_settings_are_entries_of_their_own(manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, METHOD, 0, tag="a")
    write_run(tmp_path / "runs", manifest, Drawn("proposed", "native", 0.9, 3.0, given={"epochs": 5}), 0, tag="b")
    write_run(tmp_path / "runs", manifest, Drawn("dct-cnn", "msp", 0.6, 1.0, given={"epochs": 9}), 0)
    entries = build_board(tmp_path / "runs", None, tmp_path / "site", bootstrap=5)["entries"]
    assert {(e["method"], e["variant"]) for e in entries} == {
        ("proposed", "defaults"),
        ("proposed", "epochs=5"),
        ("dct-cnn", ""),
    }
    assert len({e["id"] for e in entries}) == 3


def test_hidden_folders_are_work_in_progress(manifest: Manifest, tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", manifest, METHOD, 0)
    shutil.copytree(run.folder, run.folder.with_name(".half.partial"))
    assert build_board(tmp_path / "runs", None, tmp_path / "site", bootstrap=5)["entries"][0]["seeds"] == [0]


def test_the_manifest_may_come_from_the_dataset(dataset: Dataset, manifest: Manifest, tmp_path: Path) -> None:
    runs = tmp_path / "submissions"
    write_run(runs, manifest, METHOD, 0)
    shutil.rmtree(runs / "manifests")
    with pytest.raises(RunError, match="give the dataset with --data"):
        build_board(runs, lookup_manifest(runs, None), tmp_path / "site", bootstrap=5)
    found = build_board(runs, lookup_manifest(runs, dataset), tmp_path / "site", bootstrap=5)
    assert found["manifest_id"] == manifest.manifest_id


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
    build_board(tmp_path / "runs", None, tmp_path / "site", dataset=own_dataset, bootstrap=5)
    assert '"gallery":[]' in (tmp_path / "site" / PAGE_FILE).read_text()


def test_an_undefined_metric_is_null_and_ranks_nothing(board_runs: Path, tmp_path: Path) -> None:
    document = build_board(board_runs, None, tmp_path, bootstrap=5)
    document["entries"][1]["rank"] = None
    document["entries"][1]["metrics"]["auc_af1_crr"] = {"mean": None, "low": None, "high": None}
    frame = board_frame(document)
    assert pd.isna(frame["rank"].iloc[1])
    assert pd.isna(frame["auc_af1_crr"].iloc[1])
    assert board_text(document).splitlines()[3].startswith("-")
