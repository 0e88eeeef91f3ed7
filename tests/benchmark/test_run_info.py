from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from osbench.benchmark.manifest import Manifest
from osbench.benchmark.run_info import RunInfo, read_run_info, run_schema
from osbench.core.errors import RunError
from tests.benchmark.run_documents import run_info


def test_written_and_read_again(manifest: Manifest) -> None:
    info = run_info(manifest)
    document = json.loads(json.dumps(info.to_json(), allow_nan=False))
    assert RunInfo.from_json(document) == info
    assert list(document)[:3] == ["method", "seed", "rules"]
    assert document["schema_version"] == 2


def test_the_schema_accepts_what_is_written_and_names_every_key(manifest: Manifest) -> None:
    document, schema = run_info(manifest).to_json(), run_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert {"method", "seed", "rules", "card", "config", "manifest", "created"} <= set(schema["required"])
    for key in document:
        if key in schema["required"]:
            with pytest.raises(jsonschema.ValidationError, match=key):
                jsonschema.validate({k: v for k, v in document.items() if k != key}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"method": "x.py"}, schema)


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(document)
    *outer, last = path.split(".")
    inner = document
    for key in outer:
        inner = inner[key]
    inner[last] = value
    return document


WRONG = [
    ("schema_version", 3, "run schema version 3, this osbench reads 2"),
    ("schema_version", True, "run schema version True"),
    ("method", "/etc/x.py", "method is '/etc/x.py'; expected the registered name of a method"),
    ("method", "x.py", "method is 'x.py'; expected the registered name of a method"),
    ("method", "a\n", "method is 'a '; expected text on one line"),
    ("method", 7, "method is 7; expected text on one line"),
    ("seed", "0", "seed is '0'; expected a whole number"),
    ("seed", True, "seed is true; expected a whole number"),
    ("seed", -1, "seed is -1; expected at least 0"),
    ("seed", 2**63, "seed is 9223372036854775808; expected at most"),
    ("rules", [], "rules has 0 entries; at least 1 do"),
    ("rules", ["a", "a"], "rules names something twice"),
    ("rules", ["a", "b\u202e"], "rules[1] is 'b '"),
    ("config", {}, "config.given is missing"),
    ("config.crop_size", "48", "config.crop_size is '48'; expected a whole number"),
    ("config.options", {"lr": [1]}, "config.options.lr is the list [1]; expected true or false or"),
    ("config.colour", 1, "unknown key of x/run.json below config 'colour'"),
    ("manifest.manifest_id", "abc", "manifest.manifest_id is 'abc'; expected a SHA-256"),
    ("manifest.seen", ["a", "a"], "manifest.seen names something twice"),
    ("manifest.seen", ["a", "\x1b[2J"], "manifest.seen[1] is ' [2J'; expected text on one line"),
    ("manifest.fold", "x" * 201, "manifest.fold has 201 characters; at most 200"),
    ("card", None, "card is null; expected names and values"),
    ("card.published", {"af1": "high"}, "card.published.af1 is 'high'; expected a number"),
    ("hardware.cores", 1.5, "hardware.cores is 1.5; expected a whole number or null"),
    ("wall_time_s", -1, "wall_time_s is -1; expected at least 0"),
    ("seconds_per_image", {"inversion": -1.0}, r"seconds_per_image.inversion is -1.0; expected at least 0"),
    ("wall_time_s", 10**400, "wall_time_s is "),
    ("created", "yesterday", "created is 'yesterday', which is no ISO 8601 time"),
    ("code_sha256", None, "code_sha256 is null"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG, ids=[f"{p} {v!s:.20}" for p, v, _ in WRONG])
def test_a_wrong_key_is_named_in_one_line(path: str, value: object, message: str, manifest: Manifest) -> None:
    document = changed(run_info(manifest).to_json(), path, value)
    with pytest.raises(RunError) as caught:
        RunInfo.from_json(document, "x/run.json")
    assert message in str(caught.value)
    assert "x/run.json" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_generator_is_seen_or_unseen(manifest: Manifest) -> None:
    document = changed(run_info(manifest).to_json(), "manifest.unseen", [manifest.seen[0]])
    with pytest.raises(RunError, match=f"both name {manifest.seen[0]}"):
        RunInfo.from_json(document)


def test_a_run_of_schema_1_says_how_to_make_it_again() -> None:
    with pytest.raises(RunError, match=r"schema 1 .* osbench evaluate --method proposed --data DATA") as caught:
        RunInfo.from_json({"schema_version": 1, "method": "proposed"}, "run.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="evaluate --method NAME"):
        RunInfo.from_json({"schema_version": 1, "method": "; rm -r /"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "is not readable JSON"),
        (b"[]", "expected names and values"),
        (b"\xff", "is not readable JSON"),
        (b"[" * 100_000, "is not readable JSON|nested deeper"),
        (b" " * (1 << 21), "bytes; at most"),
    ],
)
def test_what_is_no_run_json(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(RunError, match=message) as caught:
        read_run_info(tmp_path / "run.json")
    assert "\n" not in str(caught.value)


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, message in {
        "fifo": "named pipe",
        "folder": "a folder",
        "loop": "cannot be read",
        "zero": "a device",
    }.items():
        with pytest.raises(RunError, match=message):
            read_run_info(tmp_path / name)
