"""Submitting to a folder: checked first, named by content, whole or not at all, and only once."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.robustness.treatments import CLEAN
from osbench.benchmark.runs import Run
from osbench.core import publish
from osbench.core.documents import from_json
from osbench.core.errors import RunError, UsageError
from osbench.leaderboard.submission import SubmissionInfo, open_submission, submission_schema
from osbench.leaderboard.submit import prepare, submit
from osbench.leaderboard.targets import Receipt

from .synthetic_runs import Drawn, draw_predictions, write_laundered, write_run

METHOD = Drawn("proposed", 0.9, {"native": 3.0})


@pytest.fixture
def runs(manifest: Manifest, tmp_path: Path) -> list[Run]:
    """Two seeds of one fit."""
    runs = [write_run(tmp_path / "runs", manifest, METHOD, seed) for seed in (0, 1)]
    (runs[0].folder / "model").mkdir()
    (runs[0].folder / "model" / "weights.safetensors").write_bytes(b"not for submission")
    write_laundered(runs[0], manifest, [CLEAN])
    return runs


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_submission_is_one_folder_with_all_seeds_named_by_its_content(runs: list[Run], tmp_path: Path) -> None:
    receipt = submit(tmp_path / "runs", str(tmp_path / "board"))
    (place,) = (tmp_path / "board" / "submissions" / "proposed").iterdir()
    assert receipt == Receipt("submitted", str(place))
    files = _files(place)
    inside = [f"seed{seed}/{name}" for seed in (0, 1) for name in ("predictions.parquet", "run.json")]
    assert sorted(files) == [*inside, "submission.json"]
    assert hashlib.sha256(files["submission.json"]).hexdigest() == place.name
    info = from_json(SubmissionInfo, json.loads(files["submission.json"]), "submission", RunError)
    for said, run in zip(info.runs, runs, strict=True):
        assert said.run_sha256 == hashlib.sha256(files[f"seed{run.seed}/run.json"]).hexdigest()
        assert files[f"seed{run.seed}/predictions.parquet"] == (run.folder / "predictions.parquet").read_bytes()
    assert [run.info for run in open_submission(place)] == [run.info for run in runs]
    assert submission_schema()["required"] == ["method", "manifest_id", "runs"]


def test_a_method_folder_and_run_folders_are_the_same_submission(runs: list[Run], tmp_path: Path) -> None:
    whole = prepare(tmp_path / "runs")
    assert prepare(tmp_path / "runs" / "proposed") == whole
    assert prepare([run.folder for run in reversed(runs)]) == whole
    assert prepare(runs[0].folder).digest != whole.digest
    assert prepare(runs[0].folder).title.startswith("proposed, seed 0, manifest")


def test_a_second_time_changes_nothing(runs: list[Run], tmp_path: Path) -> None:
    first = submit(tmp_path / "runs", str(tmp_path / "board"))
    before = _files(tmp_path / "board")
    again = submit(tmp_path / "runs", str(tmp_path / "board"))
    assert again == Receipt("already submitted", first.location)
    assert _files(tmp_path / "board") == before


def test_only_one_fit_at_a_time(runs: list[Run], manifest: Manifest, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", manifest, Drawn("dct-cnn", 0.5, {"msp": 1.0}), 0)
    with pytest.raises(RunError, match=r"runs of 2 fits: dct-cnn \(.*\), proposed .* choose it with --method"):
        prepare(tmp_path / "runs")
    assert prepare(tmp_path / "runs", "proposed") == prepare(tmp_path / "runs" / "proposed")
    with pytest.raises(RunError, match=r"no run of resnet50. Known: dct-cnn, proposed"):
        prepare(tmp_path / "runs", "resnet50")
    write_run(tmp_path / "runs", manifest, replace(METHOD, given={"epochs": 5}), 0, tag="short")
    with pytest.raises(RunError, match="runs of 2 fits"):
        prepare(tmp_path / "runs", "proposed")
    write_run(tmp_path / "other", manifest, METHOD, 0, tag="again")
    with pytest.raises(RunError, match="seed 0 is there twice"):
        prepare([runs[0].folder, tmp_path / "other" / "proposed"])


def test_a_killed_writer_leaves_nothing_that_looks_submitted(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publish.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        submit(tmp_path / "runs", str(tmp_path / "board"))
    assert _files(tmp_path / "board") == {}
    monkeypatch.undo()
    assert submit(tmp_path / "runs", str(tmp_path / "board")).status == "submitted"


def test_the_next_command_removes_what_a_killed_one_left(runs: list[Run], tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from osbench.core import publish; from osbench.leaderboard.submit import submit\n"
        "publish.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"submit(Path({str(tmp_path / 'runs')!r}), {str(tmp_path / 'board')!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, check=False)
    assert done.returncode == -9
    assert any(".partial-" in path.name for path in (tmp_path / "board").rglob("*"))
    place = Path(submit(tmp_path / "runs", str(tmp_path / "board")).location)
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_many_at_once_submit_once(runs: list[Run], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from osbench.leaderboard.submit import submit\n"
        f"print(submit(Path({str(tmp_path / 'runs')!r}), {str(tmp_path / 'board')!r}).status)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate()[0].strip() for process in started)
    assert said == ["already submitted"] * 3 + ["submitted"]
    (place,) = (tmp_path / "board" / "submissions" / "proposed").iterdir()
    assert len(open_submission(place)) == 2


def test_a_damaged_run_is_refused_before_anything_is_written(
    runs: list[Run], manifest: Manifest, tmp_path: Path
) -> None:
    run, folder, target = runs[1], tmp_path / "runs", tmp_path / "board"
    predictions = draw_predictions(manifest, METHOD, 1)
    Run.write(run.folder, run.info, predictions.take(slice(1, None)))  # pyright: ignore[reportArgumentType]
    with pytest.raises(RunError, match="1 of 144 images have no answer"):
        submit(folder, str(target))
    (run.folder / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match="not a Parquet file"):
        submit(folder, str(target))
    (run.folder / "run.json").write_text(json.dumps(run.info.to_json() | {"schema_version": 99}))
    with pytest.raises(RunError, match="schema version 99"):
        submit(folder, str(target))
    with pytest.raises(RunError, match="is not a run"):
        submit(tmp_path / "nowhere", str(target))
    assert not target.exists()


def test_a_run_without_its_manifest_cannot_be_checked(runs: list[Run], tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere" / "alone"
    alone.parent.mkdir()
    runs[0].folder.rename(alone)
    with pytest.raises(RunError, match="its manifest is not with the runs"):
        prepare(alone)


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "", "x" * 81, "naïve", "x.py"])
def test_a_method_name_cannot_leave_the_folder(runs: list[Run], tmp_path: Path, name: str) -> None:
    (runs[0].folder / "run.json").write_text(json.dumps(runs[0].info.to_json() | {"method": name}))
    with pytest.raises(RunError, match="method is"):
        submit(tmp_path / "runs", str(tmp_path / "board"))
    assert not (tmp_path / "board").exists()


def test_a_target_that_cannot_be_written_is_one_line(runs: list[Run], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot submit to folder") as caught:
        submit(tmp_path / "runs", str(tmp_path / "file"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["ftp://example.org/x", "hf://models/a/b", "hf://datasets/only", "s3://bucket"])
def test_an_address_of_no_known_kind_is_a_usage_error(runs: list[Run], tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageError, match="neither a folder nor"):
        submit(tmp_path / "runs", target)
