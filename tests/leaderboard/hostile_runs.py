"""A folder of runs and submissions that somebody else made, each bad in one way, and what a board says of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.runs import Run
from osbench.leaderboard.submission import Submission

from .synthetic_runs import Drawn, write_run

Spoil = Callable[[Run, Manifest], None]
_TYPES: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "float": pa.float64(),
    "timestamp": pa.timestamp("s"),
    "binary": pa.binary(),
    "list": pa.list_(pa.string()),
    "struct": pa.struct([("a", pa.string())]),
}


@dataclass(frozen=True)
class Bad:
    """A way to be bad, and what the reason must say (a regular expression)."""

    reason: str
    spoil: Spoil


def _json(**changes: Any) -> Spoil:
    return lambda run, _: _write(run, json.loads((run.folder / "run.json").read_text()) | changes)


def _in_manifest(**changes: Any) -> Spoil:
    def spoil(run: Run, _: Manifest) -> None:
        document = json.loads((run.folder / "run.json").read_text())
        document["manifest"] |= changes
        _write(run, document)

    return spoil


def _write(run: Run, document: Any) -> None:
    (run.folder / "run.json").write_text(json.dumps(document))


def _text(text: str | bytes, name: str = "run.json") -> Spoil:
    return lambda run, _: _ignore((run.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode()))


def _ignore(_: object) -> None:
    pass


def _instead(name: str, make: Callable[[Path], object]) -> Spoil:
    def spoil(run: Run, _: Manifest) -> None:
        (run.folder / name).unlink()
        make(run.folder / name)

    return spoil


def _table(change: Callable[[pa.Table], pa.Table]) -> Spoil:
    def spoil(run: Run, _: Manifest) -> None:
        path = run.folder / "predictions.parquet"
        pq.write_table(change(pq.read_table(path)), path)

    return spoil


def _column(name: str, make: Callable[[pa.Table], pa.Array]) -> Spoil:
    return _table(lambda table: table.set_column(table.column_names.index(name), name, make(table)))


def _ids_of_type(kind: pa.DataType) -> Spoil:
    def make(table: pa.Table) -> pa.Array:
        rows: list[Any] = list(range(len(table)))
        if pa.types.is_boolean(kind):
            rows = [row % 2 == 0 for row in rows]
        elif pa.types.is_binary(kind):
            rows = [b"\xff\xfe%d" % row for row in rows]
        elif pa.types.is_list(kind):
            rows = [[str(row)] for row in rows]
        elif pa.types.is_struct(kind):
            rows = [{"a": str(row)} for row in rows]
        return pa.array(rows, kind)

    return _column("image_id", make)


def _with_score(value: float) -> Spoil:
    def make(table: pa.Table) -> pa.Array:
        values = table["known_score.msp"].to_numpy().copy()
        values[3] = value
        return pa.array(values, pa.float32())

    return _column("known_score.msp", make)


def _rows_bomb(run: Run, _: Manifest) -> None:
    """A few kilobytes that are millions of rows."""
    rows = 4_900_000
    table = pa.table(
        {
            "image_id": pa.array(["0" * 32] * 1).take(pa.array(np.zeros(rows, np.int32))),
            "class_scores": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(5 * rows, np.float32)), 5),
            "candidate": pa.array(np.zeros(rows, np.int32)),
            "known_score.msp": pa.array(np.zeros(rows, np.float32)),
        }
    )
    pq.write_table(table, run.folder / "predictions.parquet", compression="zstd")


def _ids_bomb(run: Run, _: Manifest) -> None:
    """One id of 100 MB, repeated by a dictionary in every row."""
    path = run.folder / "predictions.parquet"
    table = pq.read_table(path)
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(table), np.int32)), pa.array(["x" * 100_000_000]))
    pq.write_table(table.set_column(0, "image_id", long), path, compression="zstd")


def _deep(levels: int) -> str:
    return '{"card":' + "[" * levels + "]" * levels + "}"


def _ids(change: Callable[[list[str]], list[str]]) -> Spoil:
    return _column("image_id", lambda table: pa.array(change(table["image_id"].to_pylist()), pa.string()))


BAD: dict[str, Bad] = {
    "run-is-a-folder": Bad("is a folder, not a regular file", _instead("run.json", Path.mkdir)),
    "run-is-a-pipe": Bad("is a named pipe", _instead("run.json", os.mkfifo)),
    "run-is-zero": Bad("is a device", _instead("run.json", lambda path: path.symlink_to("/dev/zero"))),
    "run-is-itself": Bad("is not a run", _instead("run.json", lambda path: path.symlink_to(path))),
    "run-is-text": Bad("not readable JSON", _text("{")),
    "run-is-latin": Bad("not readable JSON", _text(b'{"method": "\xe9\xff"}')),
    "run-is-large": Bad("at most", _text('{"a": "' + "x" * 2_000_000 + '"}')),
    "run-is-deep": Bad("nested deeper|not readable JSON", _text(_deep(940))),
    "run-is-deeper": Bad("nested deeper|not readable JSON", _text(_deep(100_000))),
    "run-is-a-list": Bad("holds the list", _text("[]")),
    "schema-1": Bad("a run of schema 1", _json(schema_version=1)),
    "schema-9": Bad("schema version 9", _json(schema_version=9)),
    "method-is-code": Bad(r"method is", _json(method="foreign/model/x.py")),
    "method-escapes": Bad(r"method is", _json(method="a\x1b[2J\u202e")),
    "method-is-long": Bad(r"method is", _json(method="x" * 900_000)),
    "seed-is-large": Bad("seed is", _json(seed=10**30)),
    "seed-is-huge": Bad("run.json", _text('{"schema_version": 2, "seed": 1' + "0" * 5000 + "}")),
    "time-is-nan": Bad("wall_time_s is", _json(wall_time_s=float("nan"))),
    "created-is-no-time": Bad("created is", _json(created="yesterday")),
    "seen-in-another-order": Bad("manifest.seen", lambda run, m: _in_manifest(seen=[*m.seen[1:], m.seen[0]])(run, m)),
    "seen-of-100000": Bad("manifest.seen", _in_manifest(seen=[f"g{i}" for i in range(100_000)])),
    "manifest-begins-alike": Bad(
        "manifest.manifest_id", lambda run, m: _in_manifest(manifest_id=m.manifest_id + "0")(run, m)
    ),
    "manifest-escapes": Bad("manifest.manifest_id", _in_manifest(manifest_id="\x1b[31m" + "0" * 60)),
    "manifest-of-nobody": Bad("answers manifest eeeeeeeeeeee", _in_manifest(manifest_id="e" * 64)),
    "no-predictions": Bad("cannot be read", lambda run, _: (run.folder / "predictions.parquet").unlink()),
    "predictions-are-a-folder": Bad("is a folder", _instead("predictions.parquet", Path.mkdir)),
    "predictions-are-a-pipe": Bad("is a named pipe", _instead("predictions.parquet", os.mkfifo)),
    "predictions-are-zero": Bad("is a device", _instead("predictions.parquet", lambda p: p.symlink_to("/dev/zero"))),
    "predictions-are-garbage": Bad("not a Parquet file|Parquet footer", _text(b"PAR1" * 100, "predictions.parquet")),
    "predictions-are-cut": Bad(
        "not a Parquet file",
        lambda run, _: os.truncate(run.folder / "predictions.parquet", 500),
    ),
    "predictions-lie": Bad("Parquet", _text(b"PAR1" + b"\x15" * 60 + b"\xff\xff\xff\x7fPAR1", "predictions.parquet")),
    "a-score-is-nan": Bad("not finite", _with_score(float("nan"))),
    "a-score-is-infinite": Bad("not finite", _with_score(float("inf"))),
    "a-candidate-is-nobody": Bad(
        "none of the 5 seen",
        _column("candidate", lambda t: pa.array(np.full(len(t), 7), pa.int32())),
    ),
    "an-id-twice": Bad("answered twice", _ids(lambda ids: [ids[1], *ids[1:]])),
    "an-id-is-foreign": Bad("have no answer", _ids(lambda ids: ["f" * 32, *ids[1:]])),
    "an-id-is-long": Bad("characters", _ids(lambda ids: ["f" * 5000, *ids[1:]])),
    "an-id-is-missing": Bad("have no answer", _table(lambda table: table.slice(1))),
    "scores-are-ragged": Bad(
        "class scores",
        _column("class_scores", lambda t: pa.array([[0.0] * (i % 3) for i in range(len(t))], pa.list_(pa.float32()))),
    ),
    "scores-are-empty": Bad(
        "empty cells", _column("known_score.msp", lambda t: pa.array([None] * len(t), pa.float32()))
    ),
    "a-column-too-many": Bad("is unknown", _table(lambda t: t.append_column("extra", t["candidate"]))),
    "a-column-too-few": Bad("is missing", _table(lambda t: t.drop_columns(["known_score.msp"]))),
    "rows-without-end": Bad("rows; at most|bytes", _rows_bomb),
    "ids-without-end": Bad("bytes|characters", _ids_bomb),
    **{f"ids-are-{name}": Bad("column 'image_id' is", _ids_of_type(kind)) for name, kind in _TYPES.items()},
}


def write_hostile(runs_dir: Path, manifest: Manifest) -> dict[str, str]:
    """One run for each of :data:`BAD` and some bad submissions; where each lies -> what the reason must say."""
    expected = {}
    for name, bad in BAD.items():
        run = write_run(runs_dir, manifest, Drawn(name, 0.9, {"msp": 2.0}), 0)
        bad.spoil(run, manifest)
        expected[run.folder.relative_to(runs_dir).as_posix()] = bad.reason
    return expected | write_hostile_submissions(runs_dir, manifest)


def write_hostile_submissions(root: Path, manifest: Manifest) -> dict[str, str]:
    """Submissions that were changed since they were made."""
    changes: dict[str, tuple[str, Callable[[Path], object]]] = {
        "moved": ("not named after its content", lambda folder: folder.rename(folder.with_name("f" * 64))),
        "changed": ("was changed since", lambda folder: _append(folder / "seed0" / "predictions.parquet")),
        "rewritten": ("was changed since", lambda folder: _append(folder / "seed1" / "run.json")),
        "lacking": ("cannot be read", lambda folder: shutil.rmtree(folder / "seed1")),
        "linked": ("leads out of the submission", lambda folder: _link(folder / "seed0")),
    }
    expected = {}
    for name, (reason, change) in changes.items():
        folder = write_submission(root, manifest, Drawn(f"submitted-{name}", 0.9, {"msp": 2.0}), (0, 1))
        change(folder)
        place = folder.with_name("f" * 64) if name == "moved" else folder
        expected[place.relative_to(root).as_posix()] = reason
    return expected


def write_submission(root: Path, manifest: Manifest, drawn: Drawn, seeds: tuple[int, ...]) -> Path:
    """A submission below ``root/<method>``; returns its folder."""
    elsewhere = root.parent / "made-elsewhere"
    submission = Submission.of([write_run(elsewhere, manifest, drawn, seed) for seed in seeds])
    folder = root / drawn.method / submission.digest
    for name, data in submission.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def _link(folder: Path) -> None:
    other = folder.with_name("elsewhere")
    folder.rename(other)
    folder.symlink_to(other)
