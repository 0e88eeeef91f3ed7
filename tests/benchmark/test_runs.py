from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.method import Scores
from osbench.benchmark.predictions import Predictions
from osbench.benchmark.runs import Run, find_manifest, list_runs, store_manifest
from osbench.core.errors import RunError


def info(manifest: Manifest, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schema_version": 1,
        "method": "m",
        "rejection": "never",
        "seed": 0,
        "card": {"title": "M"},
        "config": {"given": {}, "defaults": {}, "resolved": {}},
        "manifest": {
            "manifest_id": manifest.manifest_id,
            "protocol": manifest.protocol,
            "fold": manifest.fold,
            "suite": manifest.suite,
            "seen": list(manifest.seen),
            "unseen": list(manifest.unseen),
            "crop_size": manifest.crop_size,
            "counts": manifest.counts(),
        },
        "versions": {"python": "3.11"},
        "git": None,
        "hardware": {"device": "cpu"},
        "wall_time_s": 1.5,
        "created": "2026-01-01T00:00:00+00:00",
    }
    return document | changes


@pytest.fixture
def answers(manifest: Manifest) -> Predictions:
    ids = manifest.rows("val", "test")["image_id"].to_numpy(dtype=str)
    n, k = len(ids), len(manifest.seen)
    return Predictions(ids, Scores(np.zeros((n, k)), np.zeros(n), np.zeros(n)))


def test_written_and_opened(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "m" / "never-seed0-abc"
    Run.write(folder, info(manifest), answers)
    run = Run.open(folder)
    assert (run.method, run.rejection, run.seed, run.class_names) == ("m", "never", 0, manifest.seen)
    assert run.info == info(manifest)
    assert run.predictions(manifest).image_ids.tolist() == answers.image_ids.tolist()
    assert sorted(p.name for p in folder.iterdir()) == ["predictions.parquet", "run.json"]
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_model_files_are_linked_not_copied(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "inner").mkdir(parents=True)
    (model / "inner" / "weights").write_bytes(b"weights")
    run = Run.write(tmp_path / "runs" / "m" / "r", info(manifest), answers, model)
    assert (run.model / "inner" / "weights").stat().st_ino == (model / "inner" / "weights").stat().st_ino


def test_a_failed_write_leaves_nothing(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "m" / "r"
    with pytest.raises(RunError, match="key 'git' is missing"):
        Run.write(folder, {k: v for k, v in info(manifest).items() if k != "git"}, answers)
    with pytest.raises(FileNotFoundError):
        Run.write(folder, info(manifest), answers, model=tmp_path / "absent")
    with pytest.raises(ValueError):
        Run.write(folder, info(manifest, hardware={"x": float("nan")}), answers)
    assert not folder.exists()
    assert not list(tmp_path.rglob("*.partial*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "run schema version 2, this osbench reads 1"),
        ({"seed": "0"}, "key 'seed' is '0'"),
        ({"seed": True}, "key 'seed' is True"),
        ({"manifest": {}}, "manifest: key 'manifest_id' is missing"),
    ],
)
def test_a_bad_run_json_is_a_one_line_error(
    changes: dict[str, Any], message: str, manifest: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(info(manifest) | changes))
    with pytest.raises(RunError, match=message) as caught:
        Run.open(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a readable JSON"),
        ("[]", "not a JSON object"),
        ('{"schema_version": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "not a readable JSON"),
        (" " * (1 << 21), "bytes long"),
    ],
)
def test_what_is_not_a_run_json(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=message) as caught:
        Run.open(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="is not a run"):
        Run.open(tmp_path / "absent")


def test_repeated_class_names_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    document = info(manifest)
    document["manifest"]["seen"] = ["a", "a"]
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match=r"manifest.seen is not a list of different names"):
        Run.open(tmp_path)


def test_runs_are_listed_without_hidden_folders(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    for name in ("b", "a"):
        Run.write(tmp_path / "m" / name, info(manifest), answers)
    shutil.copytree(tmp_path / "m" / "a", tmp_path / "m" / ".c.123.partial")
    shutil.copytree(tmp_path / "m" / "a", tmp_path / ".hidden" / "a")
    store_manifest(tmp_path, manifest)
    assert [run.folder.name for run in list_runs(tmp_path)] == ["a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="holds no run"):
        list_runs(tmp_path / "empty")
    with pytest.raises(RunError, match="no runs folder"):
        list_runs(tmp_path / "absent")


def test_the_manifest_lies_beside_the_runs(
    manifest: Manifest, answers: Predictions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.write(tmp_path / "m" / "a", info(manifest), answers)
    with pytest.raises(RunError, match=r"is not in .*manifests: give the dataset"):
        run.manifest()
    path = store_manifest(tmp_path, manifest)
    assert path.name == f"{manifest.manifest_id}.parquet"
    assert run.manifest().manifest_id == manifest.manifest_id
    monkeypatch.chdir(run.folder)
    assert Run.open(Path()).manifest().manifest_id == manifest.manifest_id
    with pytest.raises(RunError, match="is not a manifest id"):
        find_manifest(tmp_path, "../../etc/passwd")
    path.rename(path.with_name("0" * 64 + ".parquet"))
    with pytest.raises(RunError, match="under another name"):
        find_manifest(tmp_path, "0" * 64)


def test_answers_to_another_manifest_are_refused(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    document = info(manifest)
    document["manifest"]["manifest_id"] = "f" * 64
    run = Run.write(tmp_path / "m" / "a", document, answers)
    with pytest.raises(RunError, match=f"answers manifest ffffffffffff, not {manifest.manifest_id[:12]}"):
        run.predictions(manifest)
