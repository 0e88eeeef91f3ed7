from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.predictions import Predictions
from osbench.benchmark.runs import Run, find_manifest, find_runs, list_runs, store_manifest
from osbench.core.errors import RunError, UsageError
from tests.benchmark.run_documents import drawn_answers, run_info


@pytest.fixture
def answers(manifest: Manifest) -> Predictions:
    return drawn_answers(manifest)


@pytest.fixture
def run(manifest: Manifest, answers: Predictions, tmp_path: Path) -> Run:
    store_manifest(tmp_path / "runs", manifest)
    return Run.write(tmp_path / "runs" / "m" / "seed0-abc", run_info(manifest), answers)


def test_reading_and_scoring_leave_torch_out() -> None:
    modules = ("score", "runs", "robustness", "metrics", "manifest", "predictions", "run_info", "score_text", "pack")
    code = "import sys\n" + "".join(f"import osbench.benchmark.{name}\n" for name in modules)
    code += "assert 'torch' not in sys.modules, 'torch was imported'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_written_and_opened(run: Run, manifest: Manifest, answers: Predictions) -> None:
    again = Run.open(run.folder)
    assert (again.method, again.rules, again.seed, again.class_names) == ("m", ("native", "never"), 0, manifest.seen)
    assert again == run
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    assert again.predictions(manifest).image_ids.tolist() == answers.image_ids.tolist()
    assert sorted(p.name for p in run.folder.iterdir()) == ["predictions.parquet", "run.json"]
    assert [p.name for p in run.folder.parent.iterdir()] == [run.folder.name]
    assert run.to_frame()["rule"].tolist() == ["native", "never"]


def test_a_staging_folder_becomes_the_run_with_its_model(
    manifest: Manifest, answers: Predictions, tmp_path: Path
) -> None:
    staging = tmp_path / "staging"
    (staging / "model" / "inner").mkdir(parents=True)
    (staging / "model" / "inner" / "weights").write_bytes(b"weights")
    (tmp_path / "m" / "a" / "model").mkdir(parents=True)  # a damaged run
    with pytest.raises(RunError, match="answers by native, never, not by native"):
        Run.write(tmp_path / "m" / "a", run_info(manifest, ("native",)), answers, staging=staging)
    assert (staging / "model" / "inner" / "weights").exists()
    run = Run.write(tmp_path / "m" / "a", run_info(manifest), answers, staging=staging)
    assert (run.model / "inner" / "weights").read_bytes() == b"weights"
    assert not staging.exists()


def test_a_failed_write_leaves_nothing(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    folder, zeros = tmp_path / "runs" / "m" / "r", np.zeros(len(answers), np.int64)
    with pytest.raises(RunError, match=r"method is 'x\.py'"):
        Run.write(folder, run_info(manifest, method="x.py"), answers)
    with pytest.raises(RunError, match="wall_time_s is null"):
        Run.write(folder, run_info(manifest, wall_time_s=float("nan")), answers)
    with pytest.raises(RunError, match="class scores for 2 generators; 3 are seen"):
        Run.write(
            folder, run_info(manifest), replace(answers, class_scores=answers.class_scores[:, :2], candidate=zeros)
        )
    assert not folder.exists()
    assert not list(tmp_path.rglob("*.partial*"))


def test_the_rule_to_read_by(run: Run, manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    assert run.rule() == "native"
    assert run.rule("never") == "never"
    with pytest.raises(UsageError, match=r"unknown rejection rule of m 'nevre'\. Did you mean 'never'"):
        run.rule("nevre")
    other = replace(run, info=replace(run.info, rules=("msp", "knn")))
    assert other.rule() == "msp", "the first one of a method without a rule of its own"


def test_another_order_of_seen_is_another_answer(run: Run, manifest: Manifest) -> None:
    document = json.loads((run.folder / "run.json").read_text())
    document["manifest"]["seen"] = list(reversed(manifest.seen))
    (run.folder / "run.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match=r"manifest\.seen of its run\.json is not that of the manifest"):
        Run.open(run.folder).answers()


def test_answers_to_another_manifest_are_refused(run: Run, manifest: Manifest) -> None:
    other = replace(run, info=replace(run.info, manifest=replace(run.info.manifest, manifest_id="f" * 64)))
    with pytest.raises(RunError, match=f"answers manifest ffffffffffff, not {manifest.manifest_id[:12]}"):
        other.predictions(manifest)


def test_answers_of_every_rule_from_one_reading(run: Run, manifest: Manifest) -> None:
    every = run.every_answer()
    assert list(every) == ["native", "never"]
    for rule, answers in every.items():
        single = run.answers(rule, manifest)
        np.testing.assert_array_equal(answers.test.known_score, single.test.known_score)
        np.testing.assert_array_equal(answers.validation.candidate, single.validation.candidate)


def test_runs_are_listed_without_hidden_folders(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    for name in ("b", "a"):
        Run.write(tmp_path / "m" / name, run_info(manifest), answers)
    shutil.copytree(tmp_path / "m" / "a", tmp_path / "m" / ".c.123.partial")
    shutil.copytree(tmp_path / "m" / "a", tmp_path / ".hidden" / "a")
    (tmp_path / "m" / "notes").mkdir()
    store_manifest(tmp_path, manifest)
    assert [run.folder.name for run in list_runs(tmp_path)] == ["a", "b"]


def test_what_cannot_be_read_is_refused_and_never_vanishes(
    manifest: Manifest, answers: Predictions, tmp_path: Path
) -> None:
    good = Run.write(tmp_path / "m" / "good", run_info(manifest), answers)
    for name in ("folder", "fifo", "cut", "old", "lost"):
        shutil.copytree(good.folder, tmp_path / "m" / name)
        (tmp_path / "m" / name / "run.json").unlink()
    (tmp_path / "m" / "folder" / "run.json").mkdir()
    os.mkfifo(tmp_path / "m" / "fifo" / "run.json")
    (tmp_path / "m" / "cut" / "run.json").write_text("{")
    (tmp_path / "m" / "old" / "run.json").write_text('{"schema_version": 1}')
    runs, refused = find_runs(tmp_path)
    assert runs == [good]
    assert {r.folder.name for r in refused} == {"folder", "fifo", "cut", "old", "lost"}
    reasons = {r.folder.name: r.reason for r in refused}
    assert "is a folder, not a regular file" in reasons["folder"]
    assert "named pipe" in reasons["fifo"]
    assert "a run of schema 1" in reasons["old"]
    assert "has no run.json" in reasons["lost"]
    assert all("\n" not in reason for reason in reasons.values())
    with pytest.raises(RunError):
        list_runs(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_refused(manifest: Manifest, answers: Predictions, tmp_path: Path) -> None:
    run = Run.write(tmp_path / "m" / "a", run_info(manifest), answers)
    for folder in (run.folder, run.folder.parent):
        folder.chmod(0)
        try:
            assert [r.folder for r in find_runs(tmp_path)[1]] == [folder]
        finally:
            folder.chmod(0o755)


def test_the_right_level_is_named(run: Run, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=f"holds no run. Did you mean {runs}\\?"):
        list_runs(tmp_path)
    with pytest.raises(RunError, match=f"holds no run. Did you mean {runs}\\?"):
        list_runs(run.folder.parent)
    with pytest.raises(RunError, match=f"holds no run. Did you mean {runs}\\?"):
        list_runs(run.folder)
    with pytest.raises(RunError, match=f"is not a run: it has no run.json. Did you mean {run.folder}\\?"):
        Run.open(run.folder.parent)
    with pytest.raises(RunError, match=f"is not a run: .* Did you mean {run.folder}\\?"):
        Run.open(runs)
    with pytest.raises(RunError, match=r"holds no run\. Run `osbench evaluate"):
        list_runs(tmp_path / "empty")
    with pytest.raises(RunError, match="no runs folder"):
        list_runs(tmp_path / "absent")
    with pytest.raises(RunError, match="is not a run"):
        Run.open(tmp_path / "absent")


def test_the_manifest_lies_beside_the_runs(
    manifest: Manifest, answers: Predictions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.write(tmp_path / "m" / "a", run_info(manifest), answers)
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
