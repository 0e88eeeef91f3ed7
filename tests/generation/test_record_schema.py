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


CASES: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("no list of sources", lambda r: r.update(sources="all"), "sources must be a list, not 'all'"),
    ("a recipe that is a list", lambda r: r.update(recipe=[]), "recipe must be a mapping"),
    ("no crop size", lambda r: r["recipe"].pop("crop_size"), "recipe: crop_size is missing"),
    ("a crop size of text", lambda r: r["recipe"].update(crop_size="20"), "crop_size must be an integer from 1"),
    ("a crop of half a pixel", lambda r: r["recipe"].update(crop_size=32.5), "crop_size must be an integer from 1"),
    ("true as a crop size", lambda r: r["recipe"].update(crop_size=True), "crop_size must be an integer from 1"),
    ("a huge crop", lambda r: r["recipe"].update(crop_size=10**9), "crop_size must be an integer from 1"),
    ("no rows", lambda r: r["recipe"].update(shard_rows=0), "shard_rows must be an integer from 1"),
    ("an unknown setting", lambda r: r["recipe"].update(sharpen=3), "recipe: unknown key sharpen"),
    ("qualities", lambda r: r["recipe"].update(qualities=90), "qualities must be a list of JPEG qualities"),
    ("a source that is a text", lambda r: r["sources"].append("x"), "source 2: must be a mapping"),
    ("a source without keys", lambda r: r["sources"].append({}), "source 2: name is missing"),
    ("a source that leaves", lambda r: r["sources"][0].update(generator="../x"), "source 0: generator must be a name"),
    ("another name", lambda r: r["sources"][0].update(name="x/y"), "source 0: name must be generator/training_set"),
    ("two of one name", lambda r: r["sources"].append(r["sources"][0]), "two sources have one name"),
    ("shards", lambda r: r["sources"][0].update(shards=10**9), "source 0: shards must be an integer from 1 to 99,999"),
    ("shards of others", lambda r: r["sources"][0].update(shards=7), "source 0: shards must be count / shard_rows"),
    ("many", lambda r: [s.update(count=399_996, shards=99_999) for s in r["sources"]], "more than 100,000 shards"),
    ("weights and a folder", lambda r: r["sources"][0].update(folder={}), "either weights or folder"),
    ("which weights", lambda r: r["sources"][0].update(weights_id="w0"), "with several weights one more '.weights_id'"),
    ("odd weights", lambda r: r["sources"][0].update(weights_id="../x"), "source 0: weights_id must be a name"),
    ("a margin of text", lambda r: r["recipe"].update(margin="6"), "recipe: margin must be an integer from 0"),
    ("a swap of all", lambda r: r["recipe"].update(low_pass_swap=2), "low_pass_swap must be a number from 0 to 0.5"),
    ("pictures", lambda r: r["sources"][0].update(pictures={"file": "x"}), "source 0: pictures: count is missing"),
    ("a line feed", lambda r: r.update(title="a\nb"), "title must be a text of one line"),
    ("an escape", lambda r: r["versions"].update(numpy="\x1b[2J"), "versions must be a mapping of texts"),
    ("classes", lambda r: r["sources"][0]["sampling"].update(class_labels=["a"]), "a list of integers"),
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
    (tmp_path / RECORD).write_text(json.dumps({**record, "of_a_later_version": [1]}))
    assert Dataset.open(tmp_path).sources() == ["alpha/noise", "beta/noise"]
