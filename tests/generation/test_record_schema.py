from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from osbench.core.errors import DatasetError
from osbench.generation.dataset import RECORD, Dataset
from osbench.generation.generate import generate


@pytest.fixture(scope="module")
def record(tiny_suite: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    dataset = generate(tiny_suite, tmp_path_factory.mktemp("record") / "data", count=2)
    return json.loads((dataset.path / RECORD).read_text())


def deep(record: dict[str, Any]) -> str:
    return json.dumps(record).replace('"cpu"', "[" * 100_000 + "]" * 100_000)


FOLDER = {"files": 1, "sha256": "0" * 64}

CASES: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("no list of sources", lambda r: r.update(sources="all"), "sources is 'all'; expected a list."),
    ("a recipe that is a list", lambda r: r.update(recipe=[]), "recipe is the list []; expected names and values."),
    ("no crop size", lambda r: r["recipe"].pop("crop_size"), "recipe.crop_size is missing"),
    ("a crop size of text", lambda r: r["recipe"].update(crop_size="20"), "recipe.crop_size is '20'; expected a whole"),
    (
        "a crop of half a pixel",
        lambda r: r["recipe"].update(crop_size=32.5),
        "crop_size is 32.5; expected a whole number.",
    ),
    (
        "true as a crop size",
        lambda r: r["recipe"].update(crop_size=True),
        "crop_size is true; expected a whole number.",
    ),
    ("a huge crop", lambda r: r["recipe"].update(crop_size=10**9), "expected at most 65535."),
    ("no rows", lambda r: r["recipe"].update(shard_rows=0), "recipe.shard_rows is 0; expected at least 1."),
    ("an unknown setting", lambda r: r["recipe"].update(sharpen=3), "below recipe 'sharpen'"),
    ("qualities", lambda r: r["recipe"].update(qualities=90), "recipe.qualities is 90; expected a list."),
    ("a source that is a text", lambda r: r["sources"].append("x"), "sources[2] is 'x'; expected names and values."),
    ("a source without keys", lambda r: r["sources"].append({}), "sources[2].name is missing"),
    (
        "a source that leaves",
        lambda r: r["sources"][0].update(generator="../x"),
        "sources[0].generator is '../x'; expected a name",
    ),
    ("another name", lambda r: r["sources"][0].update(name="x/y"), "sources[0]: name must be generator/training_set"),
    ("two of one name", lambda r: r["sources"].append(r["sources"][0]), "two sources have one name"),
    (
        "shards",
        lambda r: r["sources"][0].update(shards=10**9),
        "sources[0].shards is 1000000000; expected at most 99999.",
    ),
    ("shards of others", lambda r: r["sources"][0].update(shards=7), "sources[0].shards must be count / shard_rows"),
    ("many", lambda r: [s.update(count=399_996, shards=99_999) for s in r["sources"]], "more than 100,000 shards"),
    ("weights and a folder", lambda r: r["sources"][0].update(folder=FOLDER), "either weights or folder"),
    ("which weights", lambda r: r["sources"][0].update(weights_id="w0"), "with several weights one more '.weights_id'"),
    (
        "odd weights",
        lambda r: r["sources"][0].update(weights_id="../x"),
        "sources[0].weights_id is '../x'; expected a name",
    ),
    ("a margin of text", lambda r: r["recipe"].update(margin="6"), "recipe.margin is '6'; expected a whole number."),
    ("a swap of all", lambda r: r["recipe"].update(low_pass_swap=2), "low_pass_swap is 2; expected at most 0.5."),
    ("null", lambda r: r["sources"][0].update(weights_id=None), "weights_id is null; expected text on one line."),
    ("no family", lambda r: r["sources"][0].pop("family"), "sources[0]: family is missing."),
    ("weights", lambda r: r["sources"][0]["weights"].update(sha256="0"), "weights.sha256 is '0'; expected a SHA-256."),
    ("a quality", lambda r: r["recipe"].update(qualities=[None, 101]), "qualities[1] is 101; expected at most 100."),
    ("pictures", lambda r: r["sources"][0].update(pictures={"file": "x"}), "sources[0].pictures.count is missing"),
    ("a line feed", lambda r: r.update(title="a\nb"), "title is 'a b'; expected text on one line."),
    (
        "an escape",
        lambda r: r["versions"].update(numpy="\x1b[2J"),
        "versions.numpy is ' [2J'; expected text on one line.",
    ),
    (
        "classes",
        lambda r: r["sources"][0]["sampling"].update(class_labels=["a"]),
        "class_labels[0] is 'a'; expected a whole number.",
    ),
]


@pytest.mark.parametrize(("change", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_wrong_is_one_line(
    record: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    broken = copy.deepcopy(record)
    change(broken)
    (tmp_path / RECORD).write_text(json.dumps(broken))
    with pytest.raises(DatasetError) as caught:
        Dataset.open(tmp_path)
    message = str(caught.value)
    assert reason in message
    assert str(tmp_path / RECORD) in message
    assert message.endswith("The dataset is damaged: generate it again into a new folder.")
    assert message.isprintable()


def test_deep_and_special_files(record: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / RECORD
    path.write_text(deep(record))
    with pytest.raises(DatasetError, match=r"is not readable JSON|nested deeper"):
        Dataset.open(tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="is a named pipe"):
        Dataset.open(tmp_path)


def test_what_osbench_writes_is_right(record: dict[str, Any], tmp_path: Path) -> None:
    later = copy.deepcopy(record)
    for place in (later, later["sources"][0], later["sources"][0]["weights"], later["sources"][0]["sampling"]):
        place["of_a_later_version"] = [1]
    (tmp_path / RECORD).write_text(json.dumps(later))
    assert Dataset.open(tmp_path).sources() == ["alpha/noise", "beta/noise"]
