"""Submitting to a folder: checked first, named by content, whole or not at all, and only once."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from osbench.benchmark.laundering import CLEAN
from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run
from osbench.core.errors import RunError, UsageError
from osbench.leaderboard.board import build_board
from osbench.leaderboard.submit import prepare, submit
from osbench.leaderboard.targets.submission import Submission

from .synthetic_runs import Drawn, draw_predictions, write_laundered, write_run

METHOD = Drawn("proposed", "native", 0.9, 3.0)


@pytest.fixture
def run(manifest: Manifest, tmp_path: Path) -> Run:
    run = write_run(tmp_path / "runs", manifest, METHOD, 0)
    (run.folder / "model").mkdir()
    (run.folder / "model" / "weights.safetensors").write_bytes(b"not for submission")
    write_laundered(run, manifest, [CLEAN])
    return run


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_submission_is_two_files_under_the_hash_of_both(run: Run, tmp_path: Path) -> None:
    receipt = submit(run.folder, str(tmp_path / "board"))
    content = (run.folder / "run.json").read_bytes() + (run.folder / "predictions.parquet").read_bytes()
    place = tmp_path / "board" / "submissions" / "proposed" / hashlib.sha256(content).hexdigest()
    assert receipt == {"status": "submitted", "location": str(place)}
    assert sorted(path.name for path in place.iterdir()) == ["predictions.parquet", "run.json"]
    assert b"".join(_files(place)[name] for name in ("run.json", "predictions.parquet")) == content


def test_a_second_time_changes_nothing(run: Run, tmp_path: Path) -> None:
    first = submit(run.folder, str(tmp_path / "board"))
    before = _files(tmp_path / "board")
    again = submit(run.folder, str(tmp_path / "board"))
    assert again == {"status": "already submitted", "location": first["location"]}
    assert _files(tmp_path / "board") == before


def test_a_submission_is_a_run_that_a_board_reads(run: Run, manifest: Manifest, tmp_path: Path) -> None:
    submit(run.folder, str(tmp_path / "board"))
    document = build_board(tmp_path / "board" / "submissions", lambda _: manifest, tmp_path / "site", bootstrap=5)
    assert [entry["method"] for entry in document["entries"]] == ["proposed"]


def test_a_killed_writer_leaves_nothing_that_looks_submitted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        submit(run.folder, str(tmp_path / "board"))
    assert _files(tmp_path / "board") == {}
    monkeypatch.undo()
    assert submit(run.folder, str(tmp_path / "board"))["status"] == "submitted"


def test_somebody_faster_is_no_error(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def overtaken(source: Path, target: Path) -> None:
        rename(source, target)
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr(os, "rename", overtaken)
    assert submit(run.folder, str(tmp_path / "board"))["status"] == "already submitted"


def test_a_damaged_run_is_refused_before_anything_is_written(run: Run, manifest: Manifest, tmp_path: Path) -> None:
    target = tmp_path / "board"
    predictions = draw_predictions(manifest, METHOD, 0)
    Run.write(run.folder, run.info, predictions.take(slice(1, None)))  # pyright: ignore[reportArgumentType]
    with pytest.raises(RunError, match="1 of 144 images have no answer"):
        submit(run.folder, str(target))
    (run.folder / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match="not a readable Parquet file"):
        submit(run.folder, str(target))
    (run.folder / "run.json").write_text(json.dumps(run.info | {"schema_version": 99}))
    with pytest.raises(RunError, match="schema version 99"):
        submit(run.folder, str(target))
    with pytest.raises(RunError, match="is not a run"):
        submit(tmp_path / "nowhere", str(target))
    assert not target.exists()


def test_a_run_that_was_moved_away_from_its_manifest_is_still_checked(run: Run, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    run.folder.rename(alone)
    assert isinstance(prepare(alone), Submission)
    (alone / "predictions.parquet").write_bytes(b"")
    with pytest.raises(RunError):
        prepare(alone)


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "", "x" * 65, "naïve"])
def test_a_method_name_cannot_leave_the_folder(run: Run, tmp_path: Path, name: str) -> None:
    (run.folder / "run.json").write_text(json.dumps(run.info | {"method": name}))
    with pytest.raises(RunError, match="cannot name a folder"):
        submit(run.folder, str(tmp_path / "board"))
    assert not (tmp_path / "board").exists()


def test_a_target_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot submit to folder") as caught:
        submit(run.folder, str(tmp_path / "file"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["https://example.org/x", "hf://models/a/b", "hf://datasets/only", "s3://bucket"])
def test_an_address_of_no_known_kind_is_a_usage_error(run: Run, target: str) -> None:
    with pytest.raises(UsageError, match="neither a folder nor"):
        submit(run.folder, target)
