from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from osbench.benchmark.audit import audit_dataset, evidence, get_probe
from osbench.benchmark.audit.evidence import looked_at, read_evidence
from osbench.benchmark.manifest import Manifest
from osbench.core.errors import DatasetError
from osbench.core.hashing import file_sha256
from osbench.generation.dataset import Dataset


def test_a_small_dataset_is_looked_at_whole(manifest: Manifest) -> None:
    assert looked_at(manifest, every=False).table.equals(manifest.table)


def test_a_large_one_is_not(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_TRAINING", 5)
    monkeypatch.setattr(evidence, "MOST_ASKED", 2)
    few = looked_at(manifest, every=False)
    assert set(few.rows("train")["generator"].value_counts()) == {5}
    assert set(few.rows("val")["generator"].value_counts()) == {2}
    assert set(few.rows("test")["generator"].value_counts()) == {2}
    assert few.manifest_id == manifest.manifest_id
    whole = looked_at(manifest, every=True)
    assert len(whole.rows("val", "test")) == len(manifest.rows("val", "test"))
    assert len(whole.rows("train")) == 15


def test_features_belong_to_their_images(dataset: Dataset, manifest: Manifest) -> None:
    probe = get_probe("colour")()
    found = read_evidence(dataset, dataset.index(), [manifest], {"colour": probe})
    ids = manifest.column("image_id")
    shuffled = np.random.default_rng(0).permutation(ids)
    both = [dict(zip(order, found.of("colour", order).tolist(), strict=True)) for order in (ids, shuffled)]
    assert both[0] == both[1]
    assert len(found.position) == len(ids)


def rewrite(dataset: Dataset, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the table of the first shard, and the ledger with it."""
    entry = dataset.shards()[0]
    path = dataset.path / entry.file
    pq.write_table(change(pq.read_table(path)), path)
    lines = [json.loads(line) for line in (dataset.path / "ledger.jsonl").read_text().splitlines()]
    for line in lines:
        if line["file"] == entry.file:
            line["sha256"] = file_sha256(path)
    (dataset.path / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_crops_of_two_sizes_in_one_line(own_dataset: Dataset) -> None:
    def smaller(table: pa.Table) -> pa.Table:
        column = table.schema.get_field_index("crop_size")
        sizes = [16, *table["crop_size"].to_pylist()[1:]]
        return table.set_column(column, table.schema.field(column), pa.array(sizes, pa.int32()))

    rewrite(own_dataset, smaller)
    with pytest.raises(DatasetError, match=r"has a crop of 16 px, the dataset says 32: run `osbench verify`") as caught:
        audit_dataset(own_dataset)
    assert "\n" not in str(caught.value)


def test_a_missing_frame_in_one_line(own_dataset: Dataset) -> None:
    def empty(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        for row in rows:
            row["image"] = {"bytes": None, "path": None}
        return pa.Table.from_pylist(rows, table.schema)

    rewrite(own_dataset, empty)
    with pytest.raises(DatasetError, match="holds a row without an image") as caught:
        audit_dataset(own_dataset)
    assert "\n" not in str(caught.value)


def test_a_missing_shard_in_one_line(own_dataset: Dataset) -> None:
    Path(own_dataset.path / own_dataset.shards()[0].file).unlink()
    with pytest.raises(DatasetError, match="osbench generate"):
        audit_dataset(own_dataset)
