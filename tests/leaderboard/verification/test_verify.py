"""A submission in order gets its numbers; each fault has its own code, and nothing submitted is run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run, store_manifest
from osbench.cli import main
from osbench.leaderboard.board import build_board
from osbench.leaderboard.verification import Verdict, VerifyLimits, verify
from osbench.leaderboard.verification.checks import Request, check
from osbench.leaderboard.verification.verdict import REMEDIES
from tests.leaderboard.hostile_runs import BAD, write_submission
from tests.leaderboard.synthetic_runs import Drawn

GOOD = Drawn("proposed", 0.9, {"msp": 3.0})


@pytest.fixture
def root(manifest: Manifest, tmp_path: Path) -> Path:
    """A board's folder, with the manifest and no submission."""
    store_manifest(tmp_path / "board", manifest)
    return tmp_path / "board"


@pytest.fixture
def good(root: Path, manifest: Manifest) -> Path:
    return write_submission(root / "submissions", manifest, GOOD, (0, 1))


def _resealed(folder: Path) -> Path:
    """The same submission with the hashes that its files have now: what somebody hands in who edits on purpose."""
    document = json.loads((folder / "submission.json").read_text())
    for run in document["runs"]:
        for key, name in (("run_sha256", "run.json"), ("predictions_sha256", "predictions.parquet")):
            path = folder / f"seed{run['seed']}" / name
            if path.is_file():
                run[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    data = (json.dumps(document, indent=2) + "\n").encode()
    (folder / "submission.json").write_bytes(data)
    return folder.rename(folder.with_name(hashlib.sha256(data).hexdigest()))


def _codes(folder: Path, **given: Path) -> list[str]:
    found = check(Request(folder, **given, bootstrap=5))
    assert found.ok == (not found.problems)
    assert all(p.remedy == REMEDIES[p.code] and p.message.isprintable() for p in found.problems)
    assert not found.problems or not found.metrics
    return [p.code for p in found.problems]


def test_a_submission_in_order_has_the_numbers_of_the_board(good: Path, root: Path) -> None:
    verdict = verify(good, bootstrap=20)
    assert verdict.ok, verdict
    assert verdict.digest == good.name
    entry = build_board(root, bootstrap=20).entries[0]
    for name, number in verdict.metrics["msp"].items():
        found = entry.metrics[name]
        assert (number.estimate, number.low, number.high) == (found.estimate, found.low, found.high)
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def _change(name: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], Path]:
    def spoil(folder: Path) -> Path:
        path = folder / "seed1" / "predictions.parquet"
        pq.write_table(change(pq.read_table(path)), path)
        return _resealed(folder)

    spoil.__name__ = name
    return spoil


def _set(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _ids(change: Callable[[list[str]], list[str]]) -> Callable[[pa.Table], pa.Table]:
    return lambda t: _set(t, "image_id", pa.array(change(t["image_id"].to_pylist())))


def _nan(table: pa.Table) -> pa.Table:
    values = table["known_score.msp"].to_numpy().copy()
    values[3] = np.nan
    return _set(table, "known_score.msp", pa.array(values, pa.float32()))


def _unsealed(folder: Path) -> Path:
    path = folder / "seed1" / "predictions.parquet"
    pq.write_table(_nan(pq.read_table(path)), path)
    return folder


def _seen(folder: Path) -> Path:
    path = folder / "seed1" / "run.json"
    document = json.loads(path.read_text())
    document["manifest"]["seen"] = document["manifest"]["seen"][::-1]
    path.write_text(json.dumps(document))
    return _resealed(folder)


def _with(name: str, make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def spoil(folder: Path) -> Path:
        make(folder / name)
        return folder

    return spoil


def _schema(folder: Path) -> Path:
    (folder / "submission.json").write_text("{}")
    return folder


def _replaced(make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def spoil(folder: Path) -> Path:
        path = folder / "seed1" / "predictions.parquet"
        path.unlink()
        make(path)
        return folder

    return spoil


FAULTS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "a file too many": ("path-not-allowed", _with("setup.py", lambda p: p.write_text("raise SystemExit"))),
    "a model": ("path-not-allowed", _with("seed0/model.safetensors", lambda p: p.write_bytes(b""))),
    "a link": ("path-not-allowed", _with("seed2", lambda p: p.symlink_to("/etc"))),
    "a pipe": ("path-not-allowed", _replaced(os.mkfifo)),
    "a seed that is not listed": ("path-not-allowed", _with("seed7", lambda p: (p.mkdir(), (p / "run.json").touch()))),
    "an empty document": ("schema", _schema),
    "moved": ("not-named-by-content", lambda folder: folder.rename(folder.with_name("f" * 64))),
    "a changed file": ("file-changed", _unsealed),
    "seen in another order": ("seen-differs", _seen),
    "NaN": ("not-finite", _change("nan", _nan)),
    "an id twice": ("ids-repeated", _change("twice", _ids(lambda ids: [ids[1], *ids[1:]]))),
    "another id": ("ids-unknown", _change("other", _ids(lambda ids: ["f" * 32, *ids[1:]]))),
    "an id too few": ("ids-missing", _change("few", lambda t: t.slice(1))),
    "a long id": ("id-type", _change("long", _ids(lambda ids: ["f" * 300, *ids[1:]]))),
    "ids of integers": ("id-type", _change("int", lambda t: _set(t, "image_id", pa.array(range(len(t)))))),
    "an empty cell": (
        "empty-cells",
        _change("null", lambda t: _set(t, "known_score.msp", pa.array([None] * len(t), pa.float32()))),
    ),
    "a column too few": ("columns", _change("drop", lambda t: t.drop_columns(["known_score.msp"]))),
    "a column too many": ("columns", _change("add", lambda t: t.append_column("extra", t["candidate"]))),
    "a candidate that is nobody": (
        "candidate-unknown",
        _change("nobody", lambda t: _set(t, "candidate", pa.array(np.full(len(t), 7), pa.int32()))),
    ),
    "rows without end": ("too-large", _change("rows", lambda t: pa.concat_tables([t] * 3))),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_code(name: str, good: Path) -> None:
    code, spoil = FAULTS[name]
    assert _codes(spoil(good))[0] == code


@pytest.mark.parametrize("name", BAD)
def test_every_hostile_run_is_refused(name: str, root: Path, manifest: Manifest) -> None:
    folder = write_submission(root / "submissions", manifest, Drawn(name, 0.9, {"msp": 2.0}), (0, 1))
    run = folder / "seed0"
    BAD[name].spoil(Run.open(run), manifest)
    assert _codes(_resealed(folder))


def test_a_twin_is_named(root: Path, good: Path, manifest: Manifest) -> None:
    assert _codes(good, against=root) == []
    other = write_submission(root / "submissions", manifest, GOOD, (0,))
    assert _codes(other, against=root) == ["twin"]
    assert (
        _codes(write_submission(root / "submissions", manifest, Drawn("other", 0.5, {"msp": 1.0}), (0,)), against=root)
        == []
    )


def test_without_its_manifest(good: Path, tmp_path: Path) -> None:
    assert _codes(good, manifests=tmp_path) == ["manifest-unknown"]


def test_limits_of_memory_and_time(good: Path) -> None:
    small = verify(good, limits=VerifyLimits(memory_bytes=150 << 20), bootstrap=5)
    assert not small.ok
    assert small.problems[0].code in ("too-costly", "not-verified")


def test_the_verb(good: Path, tmp_path: Path) -> None:
    arguments = ["leaderboard", "verify", str(good), "--bootstrap", "5", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["ok"]
    assert document["problems"] == []
    assert document["metrics"]["msp"]
    (good / "extra").touch()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert [set(p) for p in json.loads(result.stdout)["problems"]] == [{"code", "message", "remedy"}]
    text = CliRunner().invoke(main, arguments[:-1])
    assert "path-not-allowed: 'extra' is no file of a submission." in text.stdout
